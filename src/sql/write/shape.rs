//! The first step: a statement's own parts, on PostgreSQL's tree. Not trusted.
//!
//! The target gets its full name and its alias, lists of columns and stars in RETURNING are written out, and what
//! stands around conditions and assigned values is put in as calls in the reserved schema.

use pg_query::protobuf::node::Node;
use pg_query::protobuf::{self, RawStmt, ResTarget};

use super::super::Speaker;
use super::super::refusal::Refusal;
use super::refer::columns;
use super::target::{Seen, Target};
use super::{Around, ROW};
use crate::grammar::{Proof, RESERVED_SCHEMA, WriteKind};

type Shaped = (RawStmt, Vec<Target>, Vec<Around>);
type Done = Result<(), Refusal>;
type Place = Option<Box<protobuf::Node>>;

/// Shapes a statement; gives the relations that are written, in the order in which the prover finds them.
/// `written` is what the prover found in it.
pub(super) fn shape(
    statement: &RawStmt,
    written: &Proof,
    speaker: Speaker<'_>,
) -> Result<Shaped, Refusal> {
    let mut shaped = statement.clone();
    let mut shaper = Shaper { speaker, written, targets: Vec::new(), around: Vec::new() };
    shaper.node(shaped.stmt.as_mut().and_then(|node| node.node.as_mut()))?;
    Ok((shaped, shaper.targets, shaper.around))
}

struct Shaper<'a> {
    speaker: Speaker<'a>,
    written: &'a Proof,
    targets: Vec<Target>,
    around: Vec<Around>,
}

impl Shaper<'_> {
    fn node(&mut self, node: Option<&mut Node>) -> Done {
        match node {
            Some(Node::SelectStmt(select)) => self.with(select.with_clause.as_mut()),
            Some(Node::InsertStmt(insert)) => self.insert(insert),
            Some(Node::UpdateStmt(update)) => self.update(update),
            Some(Node::DeleteStmt(delete)) => self.delete(delete),
            Some(Node::MergeStmt(merge)) => self.merge(merge),
            _ => Ok(()),
        }
    }

    fn with(&mut self, with: Option<&mut protobuf::WithClause>) -> Done {
        for cte in with.into_iter().flat_map(|with| &mut with.ctes) {
            if let Some(Node::CommonTableExpr(cte)) = &mut cte.node {
                self.node(cte.ctequery.as_mut().and_then(|query| query.node.as_mut()))?;
            }
        }
        Ok(())
    }

    /// Resolves the target and names it in full; gives its index.
    fn target(&mut self, relation: &mut Option<protobuf::RangeVar>) -> Result<usize, Refusal> {
        let target = Target::of(relation.as_ref(), self.speaker)?;
        if let Some(relation) = relation {
            relation.catalogname = String::new();
            relation.schemaname = target.schema.clone();
            relation.relname = target.name.clone();
            let alias = protobuf::Alias { aliasname: ROW.to_owned(), colnames: Vec::new() };
            relation.alias = Some(alias);
        }
        self.targets.push(target);
        Ok(self.targets.len().saturating_sub(1))
    }

    fn of(&self, write: usize) -> Result<&Target, Refusal> {
        self.targets.get(write).ok_or_else(|| Refusal::not_understood("a write to nothing"))
    }

    fn insert(&mut self, insert: &mut protobuf::InsertStmt) -> Done {
        self.with(insert.with_clause.as_mut())?;
        let write = self.target(&mut insert.relation)?;
        if insert.select_stmt.is_some() {
            let given = self.written.writes.get(write).map(|write| &write.given);
            let width = given.and_then(|given| columns(given, self.speaker));
            let width = width.map(|columns| columns.len());
            self.new_columns(write, &mut insert.cols, width)?;
        }
        if let Some(conflict) = &mut insert.on_conflict_clause {
            self.on_conflict(write, conflict)?;
        }
        self.returning(write, insert.returning_clause.as_mut(), &[])
    }

    /// A list of columns is judged; where there is none it is written out, as far as there are values.
    fn new_columns(
        &self,
        write: usize,
        columns: &mut Vec<protobuf::Node>,
        width: Option<usize>,
    ) -> Done {
        let target = self.of(write)?;
        if columns.is_empty() {
            let names = target.visible().take(width.unwrap_or(usize::MAX));
            *columns = names.map(|name| res_target(name, None)).collect();
        }
        for column in columns.iter() {
            if let Some(Node::ResTarget(column)) = &column.node {
                target.judge_new(&column.name)?;
            }
        }
        Ok(())
    }

    fn on_conflict(&mut self, write: usize, clause: &mut protobuf::OnConflictClause) -> Done {
        for element in clause.infer.iter().flat_map(|infer| &infer.index_elems) {
            if let Some(Node::IndexElem(element)) = &element.node
                && element.expr.is_none()
            {
                let target = self.of(write)?;
                match target.seen(&element.name) {
                    Seen::Clear | Seen::Decisive => {}
                    Seen::Masked => return Err(conflict_on_masked(target, &element.name)),
                    Seen::Absent => {
                        return Err(Refusal::no_such_column(&format!("\"{}\"", element.name)));
                    }
                }
            }
        }
        self.assignments(write, &mut clause.target_list)?;
        let updates = !clause.target_list.is_empty();
        if updates && self.of(write)?.has_filter() {
            self.put_around(&mut clause.where_clause, Around::Conflict(write));
        }
        Ok(())
    }

    fn update(&mut self, update: &mut protobuf::UpdateStmt) -> Done {
        self.with(update.with_clause.as_mut())?;
        let write = self.target(&mut update.relation)?;
        self.assignments(write, &mut update.target_list)?;
        let alone = update.from_clause.is_empty();
        self.filter(write, &mut update.where_clause, alone)?;
        self.returning(write, update.returning_clause.as_mut(), &update.from_clause)
    }

    fn delete(&mut self, delete: &mut protobuf::DeleteStmt) -> Done {
        self.with(delete.with_clause.as_mut())?;
        let write = self.target(&mut delete.relation)?;
        let alone = delete.using_clause.is_empty();
        self.filter(write, &mut delete.where_clause, alone)?;
        self.returning(write, delete.returning_clause.as_mut(), &delete.using_clause)
    }

    fn merge(&mut self, merge: &mut protobuf::MergeStmt) -> Done {
        self.with(merge.with_clause.as_mut())?;
        let write = self.target(&mut merge.relation)?;
        self.filter(write, &mut merge.join_condition, false)?;
        for clause in &mut merge.merge_when_clauses {
            let Some(Node::MergeWhenClause(clause)) = &mut clause.node else { continue };
            let inserts = i32::from(protobuf::CmdType::CmdInsert) == clause.command_type;
            match inserts {
                true if clause.target_list.is_empty() && clause.values.is_empty() => {}
                true => {
                    let width = Some(clause.values.len());
                    self.new_columns(write, &mut clause.target_list, width)?;
                }
                false => self.assignments(write, &mut clause.target_list)?,
            }
        }
        let source = merge.source_relation.as_deref().map(std::slice::from_ref).unwrap_or_default();
        self.returning(write, merge.returning_clause.as_mut(), source)
    }

    /// The row filter stands around the condition, so that nothing of it runs over other rows. Comparisons of clear
    /// columns with constants stand beside it once more, for indexes.
    fn filter(&mut self, write: usize, condition: &mut Place, alone: bool) -> Done {
        let target = self.of(write)?;
        if !target.has_filter() {
            return Ok(());
        }
        if let Some(Node::CurrentOfExpr(_)) = condition.as_deref().and_then(|at| at.node.as_ref()) {
            return Err(Refusal::current_of(&target.full()));
        }
        let mut plain = Vec::new();
        collect_plain(condition.as_deref(), target, alone, &mut plain);
        self.put_around(condition, Around::Filter(write));
        if let (Some(wrap), false) = (condition.as_deref().cloned(), plain.is_empty()) {
            plain.insert(0, wrap);
            let all = protobuf::BoolExpr {
                boolop: protobuf::BoolExprType::AndExpr.into(),
                args: plain,
                ..Default::default()
            };
            *condition = boxed(Node::BoolExpr(Box::new(all)));
        }
        Ok(())
    }

    /// `x` becomes `"scrim$".w1(x, "scrim$".z1)`; nothing becomes that of `true`.
    fn put_around(&mut self, place: &mut Place, around: Around) {
        let index = self.around.len();
        self.around.push(around);
        let truth = protobuf::Boolean { boolval: true };
        let truth = protobuf::AConst {
            isnull: false,
            location: -1,
            val: Some(protobuf::a_const::Val::Boolval(truth)),
        };
        let value = place.take().map_or_else(|| node(Node::AConst(truth)), |value| *value);
        let end = column_ref(&[RESERVED_SCHEMA, &format!("z{index}")]);
        let call = protobuf::FuncCall {
            funcname: vec![string(RESERVED_SCHEMA), string(&format!("w{index}"))],
            args: vec![value, end],
            funcformat: protobuf::CoercionForm::CoerceExplicitCall.into(),
            ..Default::default()
        };
        *place = boxed(Node::FuncCall(Box::new(call)));
    }

    fn assignments(&mut self, write: usize, list: &mut [protobuf::Node]) -> Done {
        for target in list {
            let Some(Node::ResTarget(assigned)) = &mut target.node else { continue };
            apart(assigned);
            let target = self.of(write)?;
            let name = assigned.name.clone();
            match target.seen(&name) {
                Seen::Clear => {}
                Seen::Absent => return Err(Refusal::no_such_column_of(&name, &target.name)),
                seen @ (Seen::Decisive | Seen::Masked) => {
                    judge_kept(target, assigned, seen)?;
                    self.put_around(&mut assigned.val, Around::Keep(write, name));
                }
            }
        }
        Ok(())
    }

    /// Stars are written out: the row's own columns by name, those of its neighbours by their alias.
    fn returning(
        &self,
        write: usize,
        clause: Option<&mut protobuf::ReturningClause>,
        from: &[protobuf::Node],
    ) -> Done {
        let Some(clause) = clause else { return Ok(()) };
        let target = self.of(write)?;
        // `RETURNING *` of a MERGE is its source, then its target.
        let kind = self.written.writes.get(write).map(|write| write.kind);
        let source_first = kind == Some(WriteKind::Merge);
        let mut written_out = Vec::with_capacity(clause.exprs.len());
        for item in std::mem::take(&mut clause.exprs) {
            let star = match &item.node {
                Some(Node::ResTarget(item)) => star_of(item),
                _ => None,
            };
            let own = || target.visible().map(|name| reference(&[&target.called, name]));
            let others = || -> Result<Vec<_>, Refusal> {
                Ok(aliases(from)?.iter().map(|alias| star_reference(alias)).collect())
            };
            match star.as_deref() {
                Some([]) if source_first => {
                    written_out.extend(others()?);
                    written_out.extend(own());
                }
                Some([]) => {
                    written_out.extend(own());
                    written_out.extend(others()?);
                }
                Some([name]) if *name == target.called => written_out.extend(own()),
                Some([schema, name])
                    if *name == target.called && target.unaliased && *schema == target.schema =>
                {
                    written_out.extend(own());
                }
                Some(_) | None => written_out.push(item),
            }
        }
        clause.exprs = written_out;
        Ok(())
    }
}

/// Refuses what cannot be compared with the value that a masked or decisive column has.
fn judge_kept(target: &Target, assigned: &ResTarget, seen: Seen) -> Done {
    let why = match seen {
        Seen::Decisive => "what this role sees of the row goes by it",
        Seen::Clear | Seen::Masked | Seen::Absent => "it is masked for this role",
    };
    let refused =
        |hint: &str| Err(Refusal::not_assigned(&assigned.name, &target.full(), why, hint));
    let value = assigned.val.as_deref().and_then(|value| value.node.as_ref());
    if !assigned.indirection.is_empty() {
        return refused("leave it out of the statement: its parts cannot be assigned");
    }
    match value {
        Some(Node::SetToDefault(_)) => return refused("leave it out of the statement"),
        Some(Node::MultiAssignRef(_)) => {
            return refused("assign columns one by one: it may be assigned the value it shows");
        }
        _ => {}
    }
    match target.column(&assigned.name) {
        Some(column) if column.groupable => Ok(()),
        _ => refused("leave it out of the statement: its type cannot be compared"),
    }
}

/// `(a, b) = (1, 2)` is `a = 1, b = 2`.
fn apart(assigned: &mut ResTarget) {
    let value = assigned.val.as_deref().and_then(|value| value.node.as_ref());
    let Some(Node::MultiAssignRef(several)) = value else { return };
    let source = several.source.as_deref().and_then(|source| source.node.as_ref());
    if let Some(Node::RowExpr(row)) = source
        && usize::try_from(several.ncolumns) == Ok(row.args.len())
        && let Some(index) = usize::try_from(several.colno).ok().and_then(|n| n.checked_sub(1))
        && let Some(value) = row.args.get(index)
    {
        assigned.val = Some(Box::new(value.clone()));
    }
}

fn conflict_on_masked(target: &Target, column: &str) -> Refusal {
    let why = "ON CONFLICT cannot go by it, since it is masked for this role";
    Refusal::not_assigned(column, &target.full(), why, "name a key that the role sees clear")
}

/// The qualifiers of a star.
fn star_of(item: &ResTarget) -> Option<Vec<&str>> {
    let value = item.val.as_deref().and_then(|value| value.node.as_ref());
    let Some(Node::ColumnRef(column)) = value else { return None };
    let (last, qualifiers) = column.fields.split_last()?;
    if !matches!(last.node, Some(Node::AStar(_))) {
        return None;
    }
    let names = qualifiers.iter().map(|part| match &part.node {
        Some(Node::String(part)) => Some(part.sval.as_str()),
        _ => None,
    });
    names.collect()
}

/// The names by which the items of a FROM clause go.
fn aliases(from: &[protobuf::Node]) -> Result<Vec<String>, Refusal> {
    let unknown = || Refusal::not_understood("RETURNING * over this FROM: name the columns");
    let mut names = Vec::new();
    for item in from {
        let alias = match &item.node {
            Some(Node::RangeVar(relation)) => {
                let alias = relation.alias.as_ref().map(|alias| alias.aliasname.clone());
                Some(alias.unwrap_or_else(|| relation.relname.clone()))
            }
            Some(Node::RangeSubselect(item)) => item.alias.as_ref().map(|a| a.aliasname.clone()),
            Some(Node::RangeFunction(item)) => item.alias.as_ref().map(|a| a.aliasname.clone()),
            _ => None,
        };
        names.push(alias.ok_or_else(unknown)?);
    }
    Ok(names)
}

/// Comparisons of clear columns of the target with constants, among those that all must hold.
fn collect_plain(
    condition: Option<&protobuf::Node>,
    target: &Target,
    alone: bool,
    plain: &mut Vec<protobuf::Node>,
) {
    let Some(condition) = condition else { return };
    match &condition.node {
        Some(Node::BoolExpr(all)) if all.boolop == i32::from(protobuf::BoolExprType::AndExpr) => {
            for each in &all.args {
                collect_plain(Some(each), target, alone, plain);
            }
        }
        Some(Node::AExpr(expression)) => {
            let operator = match &expression.name[..] {
                [protobuf::Node { node: Some(Node::String(name)) }] => name.sval.as_str(),
                _ => return,
            };
            let column = match expression.lexpr.as_deref().and_then(|left| left.node.as_ref()) {
                Some(Node::ColumnRef(column)) => column,
                _ => return,
            };
            let names: Vec<&str> = column
                .fields
                .iter()
                .filter_map(|field| match &field.node {
                    Some(Node::String(name)) => Some(name.sval.as_str()),
                    _ => None,
                })
                .collect();
            let name = match names[..] {
                [name] if alone => name,
                [qualifier, name] if qualifier == target.called => name,
                _ => return,
            };
            let is_clear = matches!(target.seen(name), Seen::Clear | Seen::Decisive);
            if is_clear
                && expression.kind == i32::from(protobuf::AExprKind::AexprOp)
                && matches!(operator, "=" | "<" | ">" | "<=" | ">=")
                && is_constant(expression.rexpr.as_deref())
            {
                // Qualified, as the proof wants it.
                let mut copy = expression.clone();
                copy.lexpr = Some(Box::new(column_ref(&[&target.called, name])));
                plain.push(node(Node::AExpr(copy)));
            }
        }
        _ => {}
    }
}

fn is_constant(value: Option<&protobuf::Node>) -> bool {
    match value.and_then(|value| value.node.as_ref()) {
        Some(Node::AConst(_) | Node::ParamRef(_)) => true,
        Some(Node::TypeCast(cast)) => is_constant(cast.arg.as_deref()),
        _ => false,
    }
}

fn node(node: Node) -> protobuf::Node {
    protobuf::Node { node: Some(node) }
}

fn boxed(value: Node) -> Place {
    Some(Box::new(node(value)))
}

fn string(text: &str) -> protobuf::Node {
    node(Node::String(protobuf::String { sval: text.to_owned() }))
}

fn column_ref(parts: &[&str]) -> protobuf::Node {
    let fields = parts.iter().map(|part| string(part)).collect();
    node(Node::ColumnRef(protobuf::ColumnRef { fields, location: -1 }))
}

fn res_target(name: &str, value: Option<protobuf::Node>) -> protobuf::Node {
    let target = ResTarget {
        name: name.to_owned(),
        indirection: Vec::new(),
        val: value.map(Box::new),
        location: -1,
    };
    node(Node::ResTarget(Box::new(target)))
}

fn reference(parts: &[&str]) -> protobuf::Node {
    res_target("", Some(column_ref(parts)))
}

fn star_reference(alias: &str) -> protobuf::Node {
    let fields = vec![string(alias), node(Node::AStar(protobuf::AStar {}))];
    res_target("", Some(node(Node::ColumnRef(protobuf::ColumnRef { fields, location: -1 }))))
}
