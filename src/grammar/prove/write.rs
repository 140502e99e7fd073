//! Writes: INSERT, UPDATE, DELETE, MERGE, and those in a WITH.
//!
//! INVARIANT: a relation that is written was asked about by [`Terms::may_write`](super::Terms::may_write) and stands
//! in [`Proof::writes`](super::Proof::writes), with every column that is assigned and whatever stands around it; and
//! every column reference in the statement stands in [`Proof::references`](super::Proof::references), with the
//! write whose row it could name. Nothing in FROM or USING sees the row that is written, and no sub-select of an
//! INSERT (PostgreSQL's `transformUpdateStmt`, `p_lateral_ok`).
//!
//! Two things stand for SQL that is put in later, and are recorded where they may stand and refused elsewhere: a
//! call `"scrim$".w1(x, "scrim$".z1)` as the whole of a condition or of an assigned value ([`Wrap`]), and the
//! references in that schema.

use pg_query::protobuf;
use pg_query::protobuf::node::Node;
use pg_query::protobuf::{CmdType, MergeMatchKind};

use super::query::{unexpected, unexpected_ref};
use super::scope::{Ctes, Scope, Source, output};
use super::{Extent, Proven, Violation, Walker};

/// A relation that is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// What is done.
    pub kind: WriteKind,
    /// Byte offset of the relation's name.
    pub location: usize,
    /// Schema, as parsed.
    pub schema: Option<String>,
    /// Name, as parsed.
    pub name: String,
    /// Alias, if one was given.
    pub alias: Option<String>,
    /// Lists of columns of INSERTs, in order; an empty one: there was none, and values all the same.
    pub inserts: Vec<Vec<String>>,
    /// Columns that are assigned in a row that is there.
    pub assignments: Vec<Assignment>,
    /// The conditions on rows that are there, all that must be one [`Wrap`]: WHERE, ON of MERGE, WHERE of ON CONFLICT DO
    /// UPDATE; `None` where there is none, or it is another expression. DELETE and UPDATE have one, MERGE one, INSERT
    /// one with DO UPDATE.
    pub conditions: Vec<Option<usize>>,
    /// Names in the conflict target of an INSERT; what its expressions name is among the references.
    pub conflict: Vec<String>,
    /// What the query of an INSERT gives, as far as the tree tells.
    pub given: Source,
    /// The cursor of WHERE CURRENT OF.
    pub cursor: Option<String>,
    /// A MERGE does something to rows that its source does not have.
    pub by_source: bool,
}

/// What is done to a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteKind {
    /// INSERT
    Insert,
    /// UPDATE
    Update,
    /// DELETE
    Delete,
    /// MERGE
    Merge,
}

/// A column that is assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The column.
    pub column: String,
    /// What stands around the value.
    pub wrap: Option<usize>,
    /// `= DEFAULT`
    pub is_default: bool,
}

/// A call that stands for what is put around an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrap {
    /// Its number.
    pub index: usize,
    /// Byte offset of the call.
    pub start: usize,
    /// Byte offset of the reference at its end.
    pub end: usize,
}

/// A reference to a column, to a row, or to what stands for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Byte offset.
    pub location: usize,
    /// All its parts; a star is the part `*`.
    pub fields: Vec<String>,
    /// The innermost FROM clause it is in, by its index in [`Proof::scopes`](super::Proof::scopes).
    pub scope: Option<usize>,
    /// The write whose row could be meant.
    pub row: Option<Row>,
    /// It names an output column of the SELECT it is in, as ORDER BY and GROUP BY may.
    pub is_key: bool,
    /// Where it stands.
    pub standing: Standing,
}

/// Where a reference stands, which says what a star is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Where one value is: a star is the whole row.
    Alone,
    /// As an item of ROW or VALUES: a star is its columns.
    InRow,
    /// As an item of a select list or of RETURNING: a star is its columns, by their names.
    InList,
    /// Something is taken of it: `(c).email`.
    Base,
}

/// The row that is written, in the eyes of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Index of the write.
    pub write: usize,
    /// The scope of the write itself.
    pub scope: usize,
    /// `excluded` is there too.
    pub excluded: bool,
    /// In RETURNING, where `old` and `new` are there too from PostgreSQL 18 on.
    pub returning: bool,
    /// In the conflict target of an INSERT, which is compared with what indexes are made of.
    pub arbiter: bool,
}

impl Row {
    pub(super) fn of(write: usize, scope: usize) -> Row {
        Row { write, scope, excluded: false, returning: false, arbiter: false }
    }
}

pub(super) type Place = Option<Box<protobuf::Node>>;

impl<'t> Walker<'t, '_> {
    /// A statement, or what stands in a WITH.
    pub(super) fn statement(&mut self, node: Option<&'t Node>) -> Proven {
        let is_inner = self.row.is_some();
        match node {
            Some(Node::SelectStmt(select)) => self.select(select),
            Some(
                Node::InsertStmt(_)
                | Node::UpdateStmt(_)
                | Node::DeleteStmt(_)
                | Node::MergeStmt(_),
            ) if self.extent != Extent::Statement || is_inner => {
                Err(unexpected_ref(node, "SelectStmt"))
            }
            Some(Node::InsertStmt(insert)) => self.insert(insert),
            Some(Node::UpdateStmt(update)) => self.update(update),
            Some(Node::DeleteStmt(delete)) => self.delete(delete),
            Some(Node::MergeStmt(merge)) => self.merge(merge),
            other => Err(unexpected_ref(other, "SelectStmt")),
        }
    }

    fn insert(&mut self, insert: &'t protobuf::InsertStmt) -> Proven {
        let protobuf::InsertStmt {
            relation,
            cols,
            select_stmt,
            on_conflict_clause,
            returning_clause,
            with_clause,
            r#override: _,
        } = insert;
        let outside = self.ctes.len();
        if let Some(with) = with_clause {
            self.with(with)?;
        }
        let write = self.written(relation.as_ref(), WriteKind::Insert)?;
        if !cols.is_empty() || select_stmt.is_some() {
            self.insert_columns(write, cols)?;
        }
        let given = output(select_stmt.as_deref(), &self.ctes_here());
        self.note(write, |write| write.given = given);
        match select_stmt.as_deref().map(|node| node.node.as_ref()) {
            None => {}
            Some(Some(Node::SelectStmt(select))) => self.select(select)?,
            Some(other) => return Err(unexpected_ref(other, "SelectStmt")),
        }
        if let Some(conflict) = on_conflict_clause {
            self.on_conflict(write, conflict)?;
        }
        let scope = self.enter(&[]);
        self.returning(write, scope, returning_clause.as_ref())?;
        self.leave(scope);
        self.ctes.truncate(outside);
        Ok(())
    }

    fn update(&mut self, update: &'t protobuf::UpdateStmt) -> Proven {
        let protobuf::UpdateStmt {
            relation,
            target_list,
            where_clause,
            from_clause,
            returning_clause,
            with_clause,
        } = update;
        let outside = self.ctes.len();
        if let Some(with) = with_clause {
            self.with(with)?;
        }
        let write = self.written(relation.as_ref(), WriteKind::Update)?;
        let scope = self.enter(from_clause);
        from_clause.iter().try_for_each(|item| self.item(item))?;
        self.row = Some(Row::of(write, scope));
        self.assignments(write, target_list)?;
        self.condition(write, where_clause)?;
        self.returning(write, scope, returning_clause.as_ref())?;
        self.leave(scope);
        self.ctes.truncate(outside);
        Ok(())
    }

    fn delete(&mut self, delete: &'t protobuf::DeleteStmt) -> Proven {
        let protobuf::DeleteStmt {
            relation,
            using_clause,
            where_clause,
            returning_clause,
            with_clause,
        } = delete;
        let outside = self.ctes.len();
        if let Some(with) = with_clause {
            self.with(with)?;
        }
        let write = self.written(relation.as_ref(), WriteKind::Delete)?;
        let scope = self.enter(using_clause);
        using_clause.iter().try_for_each(|item| self.item(item))?;
        self.row = Some(Row::of(write, scope));
        self.condition(write, where_clause)?;
        self.returning(write, scope, returning_clause.as_ref())?;
        self.leave(scope);
        self.ctes.truncate(outside);
        Ok(())
    }

    fn merge(&mut self, merge: &'t protobuf::MergeStmt) -> Proven {
        let protobuf::MergeStmt {
            relation,
            source_relation,
            join_condition,
            merge_when_clauses,
            returning_clause,
            with_clause,
        } = merge;
        let outside = self.ctes.len();
        if let Some(with) = with_clause {
            self.with(with)?;
        }
        let write = self.written(relation.as_ref(), WriteKind::Merge)?;
        let source = source_relation.as_deref().ok_or(Violation::Node("MergeStmt"))?;
        let scope = self.enter(std::slice::from_ref(source));
        self.item(source)?;
        self.row = Some(Row::of(write, scope));
        self.condition(write, join_condition)?;
        for clause in merge_when_clauses {
            match &clause.node {
                Some(Node::MergeWhenClause(clause)) => self.when(write, clause)?,
                other => return Err(unexpected(other, "MergeWhenClause")),
            }
        }
        self.returning(write, scope, returning_clause.as_ref())?;
        self.leave(scope);
        self.ctes.truncate(outside);
        Ok(())
    }

    fn when(&mut self, write: usize, clause: &'t protobuf::MergeWhenClause) -> Proven {
        let protobuf::MergeWhenClause {
            match_kind,
            command_type,
            r#override: _,
            condition,
            target_list,
            values,
        } = clause;
        let row = self.row;
        match MergeMatchKind::try_from(*match_kind) {
            Ok(MergeMatchKind::MergeWhenMatched) => {}
            // There is no row yet, and none is in sight (`setNamespaceForMergeWhen`).
            Ok(MergeMatchKind::MergeWhenNotMatchedByTarget) => self.row = None,
            Ok(MergeMatchKind::MergeWhenNotMatchedBySource) => {
                self.note(write, |write| write.by_source = true);
            }
            Ok(MergeMatchKind::Undefined) | Err(_) => {
                return Err(Violation::Node("MergeWhenClause"));
            }
        }
        self.optional(condition)?;
        let done = match CmdType::try_from(*command_type) {
            Ok(CmdType::CmdUpdate) if values.is_empty() => self.assignments(write, target_list),
            Ok(CmdType::CmdInsert) => {
                if !target_list.is_empty() || !values.is_empty() {
                    self.insert_columns(write, target_list)?;
                }
                values.iter().try_for_each(|value| self.value_or_default(value))
            }
            Ok(CmdType::CmdDelete | CmdType::CmdNothing)
                if values.is_empty() && target_list.is_empty() =>
            {
                Ok(())
            }
            _ => Err(Violation::Node("MergeWhenClause")),
        };
        self.row = row;
        done
    }

    /// The relation that is written. Its name never means a common table expression.
    fn written(
        &mut self,
        relation: Option<&'t protobuf::RangeVar>,
        kind: WriteKind,
    ) -> Result<usize, Violation> {
        let protobuf::RangeVar {
            catalogname,
            schemaname,
            relname,
            inh: _,
            relpersistence,
            alias,
            location,
        } = relation.ok_or(Violation::Node("RangeVar"))?;
        let part = |part: &'t str| (!part.is_empty()).then_some(part);
        let (catalog, schema) = (part(catalogname), part(schemaname));
        let alias = match alias {
            None => None,
            Some(protobuf::Alias { aliasname, colnames }) if colnames.is_empty() => Some(aliasname),
            Some(_) => return Err(Violation::Node("Alias")),
        };
        if relname.is_empty() || relpersistence != "p" || (catalog.is_some() && schema.is_none()) {
            return Err(Violation::Node("RangeVar"));
        }
        self.terms.may_write(catalog, schema, relname)?;
        let location = usize::try_from(*location).map_err(|_| Violation::Node("RangeVar"))?;
        self.proof.writes.push(Write {
            kind,
            location,
            schema: schema.map(str::to_owned),
            name: relname.clone(),
            alias: alias.cloned(),
            inserts: Vec::new(),
            assignments: Vec::new(),
            conditions: Vec::new(),
            conflict: Vec::new(),
            given: Source::Unknown,
            cursor: None,
            by_source: false,
        });
        Ok(self.proof.writes.len().saturating_sub(1))
    }

    pub(super) fn note(&mut self, write: usize, what: impl FnOnce(&mut Write)) {
        if let Some(write) = self.proof.writes.get_mut(write) {
            what(write);
        }
    }

    fn insert_columns(&mut self, write: usize, columns: &'t [protobuf::Node]) -> Proven {
        let mut names = Vec::with_capacity(columns.len());
        for column in columns {
            let Some(Node::ResTarget(column)) = &column.node else {
                return Err(unexpected(&column.node, "ResTarget"));
            };
            let protobuf::ResTarget { name, indirection, val, location: _ } = &**column;
            if val.is_some() {
                return Err(Violation::Node("ResTarget"));
            }
            // A part of a column is the column.
            self.parts(indirection)?;
            names.push(name.clone());
        }
        self.note(write, |write| write.inserts.push(names));
        Ok(())
    }

    /// DEFAULT may stand for a value.
    pub(super) fn value_or_default(&mut self, value: &'t protobuf::Node) -> Proven {
        match &value.node {
            Some(Node::SetToDefault(default)) if self.extent == Extent::Statement => {
                let protobuf::SetToDefault { xpr, type_id, type_mod, collation, location: _ } =
                    &**default;
                self.raw(xpr, "SetToDefault")?;
                match (type_id, type_mod, collation) {
                    (0, 0, 0) => Ok(()),
                    _ => Err(Violation::Node("SetToDefault")),
                }
            }
            _ => self.expression(value),
        }
    }

    fn returning(
        &mut self,
        write: usize,
        scope: usize,
        clause: Option<&'t protobuf::ReturningClause>,
    ) -> Proven {
        self.row = Some(Row { returning: true, ..Row::of(write, scope) });
        if let Some(protobuf::ReturningClause { options, exprs }) = clause {
            if !options.is_empty() {
                return Err(Violation::Node("ReturningOption"));
            }
            exprs.iter().try_for_each(|target| self.target(target))?;
        }
        self.row = None;
        Ok(())
    }

    /// Common table expressions that can be named here.
    pub(super) fn ctes_here(&self) -> Ctes<'_, 't> {
        Ctes::new(&self.cte_columns, &self.ctes)
    }

    /// A FROM clause begins; gives its index.
    pub(super) fn enter(&mut self, from: &'t [protobuf::Node]) -> usize {
        let scope = Scope::new(self.scope, from, &self.ctes_here());
        self.proof.scopes.push(scope);
        let index = self.proof.scopes.len().saturating_sub(1);
        self.scope = Some(index);
        index
    }

    /// It ends.
    pub(super) fn leave(&mut self, scope: usize) {
        self.row = self.row.filter(|row| row.scope != scope);
        self.scope = self.proof.scopes.get(scope).and_then(|scope| scope.parent);
    }

    /// A column reference of a statement that writes.
    pub(super) fn note_reference(&mut self, column: &'t protobuf::ColumnRef) -> Proven {
        if self.extent != Extent::Statement {
            return Ok(());
        }
        let fields = column.fields.iter().map(|field| match &field.node {
            Some(Node::String(protobuf::String { sval })) => Ok(sval.clone()),
            Some(Node::AStar(protobuf::AStar {})) => Ok("*".to_owned()),
            _ => Err(Violation::Node("ColumnRef")),
        });
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        let location = match usize::try_from(column.location) {
            Ok(location) => location,
            // The star of `TABLE t`, which nobody wrote.
            Err(_) if fields == ["*"] => usize::MAX,
            Err(_) => return Err(Violation::Node("ColumnRef")),
        };
        self.proof.references.push(Reference {
            location,
            fields,
            scope: self.scope,
            row: self.row,
            is_key: self.keys.contains(&column.location),
            standing: self.standing.get(&column.location).copied().unwrap_or(Standing::Alone),
        });
        Ok(())
    }

    /// Remembers where a reference stands, if it is one.
    pub(super) fn stands(&mut self, node: &protobuf::Node, standing: Standing) {
        if let Some(Node::ColumnRef(column)) = &node.node {
            self.standing.insert(column.location, standing);
        }
    }

    /// Bare names in ORDER BY, DISTINCT ON and GROUP BY that certainly mean a column of the result: those that the
    /// select list gives by AS, and all behind a set operation (`findTargetlistEntrySQL92`).
    pub(super) fn note_keys(&mut self, select: &'t protobuf::SelectStmt) {
        if self.extent != Extent::Statement {
            return;
        }
        let is_set = select.larg.is_some() || select.rarg.is_some();
        let named = |name: &str| {
            select.target_list.iter().any(|target| {
                matches!(&target.node, Some(Node::ResTarget(target)) if target.name == name)
            })
        };
        let sorted = select.sort_clause.iter().filter_map(|item| match &item.node {
            Some(Node::SortBy(item)) => item.node.as_deref(),
            _ => None,
        });
        let keys = sorted.chain(&select.distinct_clause).chain(&select.group_clause);
        for key in keys {
            if let Some(Node::ColumnRef(column)) = &key.node
                && let [protobuf::Node { node: Some(Node::String(name)) }] = &column.fields[..]
                && (is_set || named(&name.sval))
            {
                self.keys.insert(column.location);
            }
        }
    }
}
