//! A statement's way: canonicalise → gate → rewrite → verify → fill.
//!
//! [`plan`] takes a text as a client sent it and gives what may be sent to PostgreSQL instead, or a [`Refusal`].
//! The rewriter is not trusted; the verifier is: a [`VerifiedSql`] has no other constructor than `fill`.
//! Pure: no clock, no I/O.

mod any_operator;
mod channel;
mod copy;
mod effect;
mod explain;
mod field;
mod fill;
mod gate;
mod hole;
mod kind_name;
mod known;
pub mod lifting;
mod lookups;
mod naming;
mod own;
mod place;
mod reading;
mod reads;
mod refusal;
mod resolve;
mod rewrite;
mod sequence_data;
mod set_config;
mod settings;
mod system;
mod temporary;
mod travelling;
mod types;
mod untold;
mod verify;
mod view;
mod wanted;
mod who;
mod wrapped;
mod write;

pub use effect::{Effect, StatementKind};
pub use fill::VerifiedSql;
pub use gate::is_sound_search_path;
pub use lookups::LookedUp;
pub use naming::judge_parameters;
pub use own::unfit as unfit_to_state;
pub use reading::{Reader, Reading};
pub use refusal::{Reason, Refusal};
pub use rewrite::is_judged as looks_up_names;
pub use settings::{SettingVerdict, judge_setting, may_be};
pub use system::{readable_catalogs, readable_relations, telling_columns};
pub use types::builtin_types;
pub use untold::leaves_untold;
pub use view::closed_views;
pub use write::Written;

use std::collections::BTreeSet;

use pg_query::protobuf::RawStmt;
use pg_query::protobuf::node::Node;

use crate::catalog::{SearchPath, TempTables};
use crate::grammar::{self, Naming, Proof};
pub use crate::policy::Read;
use crate::policy::{RoleView, WireMasks};
use gate::{Gated, Wrapped};
use hole::Hole;
use resolve::resolve;
use rewrite::Rewritten;
use verify::AsWritten;
use wanted::Wishes;

/// What planning needs to know of the session.
#[derive(Debug, Clone, Copy)]
pub struct Speaker<'a> {
    /// What the role sees.
    pub view: &'a RoleView,
    /// The session's search_path.
    pub search_path: &'a SearchPath,
    /// The Scrim user, for `SHOW scrim.user`.
    pub user: &'a str,
    /// May state `scrim.end_user`.
    pub acts_for_others: bool,
    /// The session's temporary tables.
    pub temp_tables: &'a TempTables,
    /// What is proven to do nothing but travel to the client may come as it is, to be masked on its way.
    masks_on_the_wire: bool,
    /// How many views the text stands in, one inside the other; 0: it is the client's own.
    views: usize,
}

impl<'a> Speaker<'a> {
    /// What is known of a session.
    pub fn new(
        view: &'a RoleView,
        search_path: &'a SearchPath,
        user: &'a str,
        acts_for_others: bool,
    ) -> Speaker<'a> {
        let temp_tables = TempTables::NONE;
        let masks_on_the_wire = false;
        Speaker {
            view,
            search_path,
            user,
            acts_for_others,
            temp_tables,
            masks_on_the_wire,
            views: 0,
        }
    }

    /// Where whoever sends the plan puts on the masks that it leaves to them ([`PlannedStatement::masks`]).
    pub fn masking_on_the_wire(self, masks_on_the_wire: bool) -> Speaker<'a> {
        Speaker { masks_on_the_wire, ..self }
    }

    /// With the session's temporary tables.
    pub fn with_temp_tables(self, temp_tables: &'a TempTables) -> Speaker<'a> {
        Speaker { temp_tables, ..self }
    }
}

/// A text, planned: its statements in order; empty for an empty text.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The statements.
    pub statements: Vec<PlannedStatement>,
}

/// One statement, ready to be sent.
#[derive(Debug, Clone)]
pub struct PlannedStatement {
    /// The client's statement in canonical form. Holds literals: for `explain` only, never for logs or audit.
    pub canonical: String,
    /// What is sent.
    pub sql: VerifiedSql,
    /// What kind of statement it is.
    pub kind: StatementKind,
    /// What the session must remember once the server has said that the statement succeeded.
    pub effect: Effect,
    /// What it reads.
    pub reads: Vec<Read>,
    /// What it writes.
    pub writes: Vec<Written>,
    /// What it finds by true values.
    pub lookups: Vec<LookedUp>,
    /// For a COPY or a new temporary table, whose rows nobody describes: a query that gives none, and whose description
    /// is theirs.
    pub probe: Option<VerifiedSql>,
    /// How it was read, where sqlparser does not read it.
    pub reading: Option<Reading>,
    /// What its rows need before they may go to the client; `None`: nothing.
    pub masks: Option<WireMasks>,
}

/// Plans a text. All statements of it or none: one refusal refuses the text.
pub fn plan(text: &str, speaker: Speaker<'_>) -> Result<Plan, Refusal> {
    plan_following(text, speaker, &mut |_| None)
}

/// How names without a schema are understood.
#[derive(Debug, Clone)]
pub struct Names {
    /// search_path
    pub search_path: SearchPath,
    /// Temporary tables, which come before it.
    pub temp_tables: TempTables,
}

/// Plans a text whose statements may change what names mean for those behind them: `follow` is told of each effect
/// and says what they mean from there on, if it has changed.
pub fn plan_following(
    text: &str,
    speaker: Speaker<'_>,
    follow: &mut dyn FnMut(&Effect) -> Option<Names>,
) -> Result<Plan, Refusal> {
    // `user` is a reserved word, so PostgreSQL's grammar takes the name in quotes only.
    let text = if own::is_show_user(text) { "SHOW scrim.\"user\"" } else { text };
    let mut statements = grammar::parse(text).map_err(|error| Refusal::syntax(&error))?;
    if who::may_mention(text) {
        for statement in &mut statements {
            who::say(statement, speaker);
        }
    }
    let mut planned = Vec::with_capacity(statements.len());
    let mut names = Names {
        search_path: speaker.search_path.clone(),
        temp_tables: speaker.temp_tables.clone(),
    };
    for statement in &statements {
        let Names { search_path, temp_tables } = &names;
        let speaker = Speaker { search_path, temp_tables, ..speaker };
        let statement = plan_statement(text, statement, speaker)?;
        if let Some(changed) = follow(&statement.effect) {
            names = changed;
        }
        planned.push(statement);
    }
    Ok(Plan { statements: planned })
}

fn plan_statement(
    text: &str,
    statement: &RawStmt,
    speaker: Speaker<'_>,
) -> Result<PlannedStatement, Refusal> {
    match gate::judge(statement, speaker)? {
        Gated::Query => match sequence_data::in_place_of(statement, speaker) {
            Some(made) => {
                let planned = plan_query(&made, &verify::one(&made)?, speaker);
                planned
                    .map(|(planned, _)| planned)
                    .map_err(|refusal| Refusal { position: None, ..refusal })
            }
            None => plan_query(text, statement, speaker).map(|(planned, _)| planned),
        },
        Gated::Write => write::plan(text, statement, speaker)
            .map_err(|refusal| refusal.by(Reader::Write, statement)),
        Gated::Pass { text, kind, effect } => Ok(PlannedStatement {
            canonical: text.clone(),
            sql: VerifiedSql::of_gate(text),
            kind,
            effect,
            reads: Vec::new(),
            writes: Vec::new(),
            lookups: Vec::new(),
            probe: None,
            reading: None,
            masks: None,
        }),
        Gated::Wrapped(wrapped) => {
            let Wrapped { node, written, made, kind, effect } = *wrapped;
            let planned = plan_wrapped(text, written, &node, speaker);
            // Places in a query that was made here are none of the client's text.
            let at = |refusal: Refusal| Refusal {
                position: refusal.position.filter(|_| !made),
                ..refusal
            };
            Ok(PlannedStatement { kind, effect, ..planned.map_err(at)? })
        }
    }
}

fn plan_query(
    text: &str,
    statement: &RawStmt,
    speaker: Speaker<'_>,
) -> Result<(PlannedStatement, Vec<Hole>), Refusal> {
    let Query { canonical, rewritten, reads, parameters, reading, naming: _ } =
        query(text, statement, Some(text), speaker)?;
    let reader = reading.map_or(Reader::Tree, |reading| reading.reader);
    let with_holes = verify::one(&rewritten.text)?;
    let proof = verify::prove_query(speaker, &rewritten, &with_holes, &parameters)
        .map_err(|refusal| refusal.by(reader, statement))?;
    let travelling = Some(speaker)
        .filter(|speaker| speaker.masks_on_the_wire && speaker.views == 0)
        .and_then(|speaker| travelling::of(&with_holes, &rewritten, speaker));
    let (raw, masks) = travelling.map(|found| (found.raw, found.masks)).unzip();
    let sql = filled(&rewritten, &proof, &raw.unwrap_or_default(), speaker)?;
    let planned = PlannedStatement {
        canonical,
        sql,
        kind: StatementKind::Select,
        effect: Effect::None,
        reads,
        writes: Vec::new(),
        lookups: lookups::of(&rewritten.holes),
        probe: None,
        reading,
        masks,
    };
    Ok((planned, rewritten.holes))
}

/// A statement around a query, as the gate has let it pass.
fn plan_wrapped(
    text: &str,
    written: Node,
    node: &Node,
    speaker: Speaker<'_>,
) -> Result<PlannedStatement, Refusal> {
    let role = &speaker.view.role().name;
    let lost = || Refusal::not_understood("a statement around what is no query");
    if let Some(types) = wrapped::types_of(node) {
        naming::judge_types(wrapped::type_names(node), speaker)?;
        grammar::prove(&types, &AsWritten(speaker))
            .map_err(|found| Refusal::violation(&found, role))?;
    }
    let (shell, inner) = wrapped::take_apart(node).ok_or_else(lost)?;
    let canonical =
        grammar::deparse(&wrapped::raw(written)).map_err(|error| Refusal::syntax(&error))?;
    let inner = wrapped::raw(Node::SelectStmt(Box::new(inner)));
    let Query { mut rewritten, reads, parameters, reading, naming, .. } =
        query(text, &inner, None, speaker)?;
    if matches!(node, Node::CreateTableAsStmt(_)) {
        naming::judge_kept(naming, speaker)?;
    }
    let probe = match node {
        Node::CopyStmt(_) | Node::CreateTableAsStmt(_) | Node::InsertStmt(_) => {
            Some(probe(&rewritten, &parameters, speaker)?)
        }
        _ => None,
    };
    rewritten.text = shell.around(&rewritten.text)?;
    let proof = verify::verify_wrapped(speaker, &rewritten, &shell, &parameters)?;
    let sql = filled(&rewritten, &proof, &[], speaker)?;
    let (kind, effect) = (StatementKind::Select, Effect::None);
    let lookups = lookups::of(&rewritten.holes);
    let writes = Vec::new();
    let masks = None;
    Ok(PlannedStatement {
        canonical,
        sql,
        kind,
        effect,
        reads,
        writes,
        lookups,
        probe,
        reading,
        masks,
    })
}

/// The query without a row, proven like any other.
fn probe(
    rewritten: &Rewritten,
    parameters: &BTreeSet<i32>,
    speaker: Speaker<'_>,
) -> Result<VerifiedSql, Refusal> {
    let text = format!("SELECT * FROM ({}) AS probe LIMIT 0", rewritten.text);
    let probe = Rewritten { text, ..rewritten.clone() };
    filled(&probe, &verify::verify(speaker, &probe, parameters)?, &[], speaker)
}

/// A proven text with its holes filled; `raw` columns of each come as they are.
fn filled(
    rewritten: &Rewritten,
    proof: &Proof,
    raw: &[BTreeSet<String>],
    speaker: Speaker<'_>,
) -> Result<VerifiedSql, Refusal> {
    let wishes = Wishes::new(proof, rewritten, raw, speaker);
    fill::fill(&rewritten.text, &rewritten.holes, verify::places(proof)?, &wishes)
}

/// A query, rewritten and not yet proven.
struct Query {
    canonical: String,
    rewritten: Rewritten,
    reads: Vec<Read>,
    parameters: BTreeSet<i32>,
    reading: Option<Reading>,
    naming: Naming,
}

/// Of a statement of a text; `source` is the same text, where the statement is as it was read from that.
fn query(
    text: &str,
    statement: &RawStmt,
    source: Option<&str>,
    speaker: Speaker<'_>,
) -> Result<Query, Refusal> {
    let role = &speaker.view.role().name;
    let written = grammar::prove(statement, &AsWritten(speaker))
        .map_err(|found| Refusal::violation(&found, role))?;
    let mut reads = Vec::new();
    for relation in &written.relations {
        let target = resolve(speaker, relation.schema.as_deref(), &relation.name)
            .map_err(|refusal| refusal.at(text, relation.location))?;
        reads::add(&mut reads, &target, relation, &written, speaker);
    }
    let canonical = canonical(statement, source).map_err(|error| Refusal::syntax(&error))?;
    let naming = naming::judge(&written, &canonical, speaker)?;
    let (rewritten, reader) = rewritten(&canonical, speaker)
        .map_err(|(refusal, reader)| refusal.by(reader, statement))?;
    let reading = reader.map(|reader| Reading { reader, construct: reading::construct(statement) });
    Ok(Query { canonical, rewritten, reads, parameters: written.parameters, reading, naming })
}

/// The canonical text of a statement, and of what it was read from, where nothing else has been made of it.
fn canonical(statement: &RawStmt, source: Option<&str>) -> Result<String, grammar::SyntaxError> {
    // Some words of such a text have become others in the tree.
    match source.filter(|text| !who::may_mention(text)) {
        Some(text) => grammar::canonical(statement, text),
        None => grammar::deparse(statement),
    }
}

/// Reads and rewrites a text and judges nothing in a query: for measuring how much can be read. A refusal is for reading
/// where it says so ([`Refusal::is_for_reading`]). Gives how the statements were read, where not as most are.
pub fn read(text: &str, speaker: Speaker<'_>) -> Result<Vec<Reading>, Refusal> {
    let mut readings = Vec::new();
    for statement in grammar::parse(text).map_err(|error| Refusal::syntax(&error))? {
        let inner = statement.stmt.as_ref().and_then(|node| node.node.as_ref());
        let read = match inner {
            Some(
                Node::InsertStmt(_)
                | Node::UpdateStmt(_)
                | Node::DeleteStmt(_)
                | Node::MergeStmt(_)
                | Node::CopyStmt(_),
            ) => plan_statement(text, &statement, speaker).map(|planned| planned.reading),
            Some(Node::SelectStmt(select)) if write::is_in_with(select) => {
                plan_statement(text, &statement, speaker).map(|planned| planned.reading)
            }
            _ => read_query(
                inner.and_then(wrapped::take_apart).map_or(statement, |(_, query)| {
                    wrapped::raw(Node::SelectStmt(Box::new(query)))
                }),
                speaker,
            ),
        };
        readings.extend(read?);
    }
    Ok(readings)
}

/// A query, whatever it calls.
fn read_query(statement: RawStmt, speaker: Speaker<'_>) -> Result<Option<Reading>, Refusal> {
    let canonical = grammar::deparse(&statement).map_err(|error| Refusal::syntax(&error))?;
    let (rewritten, reader) = rewritten(&canonical, speaker)
        .map_err(|(refusal, reader)| refusal.by(reader, &statement))?;
    let reading =
        reader.map(|reader| Reading { reader, construct: reading::construct(&statement) });
    let parameters = grammar::prove(&statement, &AsWritten(speaker))
        .map_err(|found| Refusal::violation(&found, &speaker.view.role().name))
        .map_err(|refusal| refusal.by(reader.unwrap_or(Reader::Tree), &statement))?
        .parameters;
    verify::verify(speaker, &rewritten, &parameters)
        .map_err(|refusal| refusal.by(reader.unwrap_or(Reader::Tree), &statement))?;
    Ok(reading)
}

/// By sqlparser's tree where it reads what PostgreSQL reads; else by PostgreSQL's own; and where that has nodes that
/// nobody has judged for rewriting, by the places of the names alone. Gives the reader, if it is not the first.
fn rewritten(
    canonical: &str,
    speaker: Speaker<'_>,
) -> Result<(Rewritten, Option<Reader>), (Refusal, Reader)> {
    let not_understood = |refusal: &Refusal| refusal.reason == Reason::NotUnderstood;
    let plain = any_operator::plain(canonical, speaker);
    let read = plain.as_deref().unwrap_or(canonical);
    let by_tree = || rewrite::rewrite_tree(canonical, speaker);
    match rewrite::read(read) {
        // What sqlparser prints must read as what it was given.
        Ok(tree) if grammar::is_same_text(&tree.to_string(), read) => {
            match rewrite::rewrite(tree, speaker) {
                Err(refusal) if not_understood(&refusal) => by_tree()
                    .map(|done| (done, Some(Reader::Tree)))
                    .map_err(|_| (refusal, Reader::Tree)),
                rewritten => {
                    rewritten.map(|done| (done, None)).map_err(|found| (found, Reader::Tree))
                }
            }
        }
        Ok(_) | Err(_) => match by_tree() {
            Err(refusal) if not_understood(&refusal) && refusal.reading.is_none() => {
                let placed = place::place(canonical, speaker);
                placed
                    .map(|done| (done, Some(Reader::Places)))
                    .map_err(|found| (found, Reader::Places))
            }
            done => {
                done.map(|done| (done, Some(Reader::Tree))).map_err(|found| (found, Reader::Tree))
            }
        },
    }
}

#[cfg(test)]
pub(crate) mod tests;
