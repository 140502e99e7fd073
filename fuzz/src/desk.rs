//! The sample support desk: its catalog, and what each masked role sees of it.

use std::path::Path;
use std::sync::Arc;

use postgres::{Client, NoTls, SimpleQueryMessage};
use scrim::catalog::{self, SearchPath, Snapshot};
use scrim::demo::{DATABASE, PostgresOptions, PrivatePostgres, SAMPLE_RULES, SERVICE_LOGIN};
use scrim::policy::RoleView;
use scrim::rules::{self, NoEnvironment, RuleSet};
use scrim::sql::{Effect, Names, Plan, Refusal, Speaker, plan_following};
use scrim::text::{Sources, render};

use crate::stand_in::StandIn;

/// The masked roles of the sample.
pub const ROLES: [&str; 6] = ["support", "analyst", "researcher", "agent", "reception", "auditor"];

const PATHS: [&str; 4] =
    ["\"$user\", public", "trap, public", "public, catalog, trap", "catalog, pg_catalog"];

/// What a role sees.
pub struct Seen {
    /// The role.
    pub name: &'static str,
    /// Its view.
    pub view: RoleView,
    /// Its templates, to be known again.
    pub stand_ins: Vec<StandIn>,
}

/// All of it.
pub struct Desk {
    /// The masked roles.
    pub roles: Vec<Seen>,
    paths: Vec<SearchPath>,
}

/// A server of one's own with the sample database. It ends when it is dropped, or with this process.
pub fn start(settings: &[(&str, &str)]) -> PrivatePostgres {
    let settings = settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let options = PostgresOptions { settings, ..PostgresOptions::default() };
    let server = PrivatePostgres::start(&options).unwrap_or_else(|error| panic!("{error}"));
    scrim::demo::load_desk(&server).unwrap_or_else(|error| panic!("{error}"));
    server
}

/// A connection by the server's socket.
pub fn connect(folder: &Path, port: u16, login: &str) -> Client {
    let mut config = postgres::Config::new();
    config.host_path(folder).port(port).user(login).dbname(DATABASE);
    config.connect(NoTls).unwrap_or_else(|error| panic!("{login}: {error}"))
}

impl Desk {
    /// The desk of a server that [`start`] started.
    pub fn of(server: &PrivatePostgres) -> Desk {
        let mut client = connect(server.socket_folder(), server.port(), SERVICE_LOGIN);
        let answers: Vec<_> =
            catalog::QUERIES.iter().map(|query| rows_of(&mut client, query)).collect();
        let snapshot = catalog::read_snapshot(&answers).unwrap_or_else(|error| panic!("{error}"));
        let (rules, snapshot) = (sample_rules(), Arc::new(snapshot));
        let seen = |name| seen(name, &rules, &snapshot);
        let path = |path: &&str| SearchPath::parse(path).expect("a search_path");
        Desk { roles: ROLES.map(seen).into(), paths: PATHS.iter().map(path).collect() }
    }

    /// Role and search_path by the numbers of an input.
    pub fn choose(&self, role: usize, path: usize) -> (&Seen, &SearchPath) {
        (&self.roles[role % self.roles.len()], &self.paths[path % self.paths.len()])
    }
}

fn seen(name: &'static str, rules: &Arc<RuleSet>, snapshot: &Arc<Snapshot>) -> Seen {
    let view = RoleView::new(name, Arc::clone(rules), Arc::clone(snapshot)).expect("a role");
    let relations = snapshot.relations.values().filter(|relation| !relation.is_system());
    let stand_ins = relations.filter_map(|relation| StandIn::of(&view.access(relation.oid)));
    Seen { name, stand_ins: stand_ins.collect(), view }
}

fn sample_rules() -> Arc<RuleSet> {
    let mut sources = Sources::default();
    for (name, text) in SAMPLE_RULES {
        sources.add(*name, *text);
    }
    let (rules, _) = rules::load(sources, &NoEnvironment)
        .unwrap_or_else(|(sources, found)| panic!("{}", render(&sources, &found, false)));
    Arc::new(rules)
}

fn rows_of(client: &mut Client, query: &str) -> Vec<Vec<Option<String>>> {
    let messages = client.simple_query(query).unwrap_or_else(|error| panic!("{error}"));
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    rows.map(|row| (0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect()).collect()
}

/// Plans a text, its temporary tables and search_paths followed from one statement to the next.
pub fn planned(seen: &Seen, path: &SearchPath, text: &str) -> Result<Plan, Refusal> {
    planned_by(Speaker::new(&seen.view, path, "tester", false), path, text)
}

/// The same where masks may be put on rows as they pass.
pub fn planned_for_the_wire(seen: &Seen, path: &SearchPath, text: &str) -> Result<Plan, Refusal> {
    let speaker = Speaker::new(&seen.view, path, "tester", false);
    planned_by(speaker.masking_on_the_wire(true), path, text)
}

fn planned_by(speaker: Speaker<'_>, path: &SearchPath, text: &str) -> Result<Plan, Refusal> {
    let mut names = Names { search_path: path.clone(), temp_tables: Default::default() };
    let mut follow = |effect: &Effect| {
        match effect {
            Effect::CreateTemp { name, until_commit } => names.temp_tables.add(name, *until_commit),
            Effect::DropTemp(gone) => gone.iter().for_each(|name| names.temp_tables.remove(name)),
            Effect::SearchPath { path: Some(path), .. } => names.search_path = path.clone(),
            _ => {}
        }
        Some(names.clone())
    };
    plan_following(text, speaker, &mut follow)
}
