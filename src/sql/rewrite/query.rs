//! Queries, SELECTs and everything at their level.

use sqlparser::ast::{
    Cte, Distinct, Fetch, GroupByExpr, GroupByWithModifier, LimitClause, LockClause,
    NamedWindowDefinition, NamedWindowExpr, ObjectName, Offset, OrderBy, OrderByExpr, OrderByKind,
    Parens, Query, Select, SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind, SetExpr,
    TableAlias, Values, WildcardAdditionalOptions, With,
};

use super::lookup::merges;
use super::names::{meaning, parts};
use super::{Done, Rewriter, absent, foreign};

impl Rewriter<'_> {
    pub(super) fn query(&mut self, query: &mut Query) -> Done {
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        absent(for_clause.is_none(), "FOR XML or JSON")?;
        absent(settings.is_none(), "SETTINGS")?;
        absent(format_clause.is_none(), "FORMAT")?;
        absent(pipe_operators.is_empty(), "a pipe operator")?;
        let outer_ctes = self.ctes.len();
        if let Some(with) = with {
            self.with(with)?;
        }
        self.set_expr(body, order_by.as_mut())?;
        match limit_clause {
            None => {}
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
                absent(limit_by.is_empty(), "LIMIT BY")?;
                self.maybe(limit.as_mut())?;
                if let Some(Offset { value, rows: _ }) = offset {
                    self.expr(value)?;
                }
            }
            Some(LimitClause::OffsetCommaLimit { .. }) => return Err(foreign("LIMIT a, b")),
        }
        if let Some(Fetch { with_ties: _, percent, quantity }) = fetch {
            absent(!*percent, "FETCH PERCENT")?;
            self.maybe(quantity.as_mut())?;
        }
        for LockClause { lock_type: _, of, nonblock: _ } in locks {
            // It names aliases, which stay what they were.
            if let Some(of) = of {
                absent(of.0.len() == 1, "a qualified name after FOR UPDATE OF")?;
            }
        }
        self.ctes.truncate(outer_ctes);
        Ok(())
    }

    fn with(&mut self, with: &mut With) -> Done {
        let With { with_token: _, recursive, cte_tables } = with;
        if *recursive {
            self.ctes.extend(cte_tables.iter().map(|cte| meaning(&cte.alias.name)));
        }
        for cte in cte_tables {
            let Cte { alias, query, from, materialized: _, closing_paren_token: _ } = cte;
            absent(from.is_none(), "FROM after a CTE")?;
            self.alias(alias)?;
            self.query(query)?;
            if !*recursive {
                self.ctes.push(meaning(&alias.name));
            }
        }
        Ok(())
    }

    pub(super) fn alias(&mut self, alias: &TableAlias) -> Done {
        let TableAlias { explicit: _, name: _, columns: _, at } = alias;
        absent(at.is_none(), "AT after an alias")
    }

    fn set_expr(&mut self, body: &mut SetExpr, order_by: Option<&mut OrderBy>) -> Done {
        match body {
            SetExpr::Select(select) => return self.select(select, order_by),
            SetExpr::Query(query) => self.query(query)?,
            SetExpr::SetOperation { left, op: _, set_quantifier: _, right } => {
                self.set_expr(left, None)?;
                self.set_expr(right, None)?;
            }
            SetExpr::Values(Values { explicit_row, value_keyword, rows }) => {
                absent(!*explicit_row && !*value_keyword, "VALUES ROW")?;
                for Parens { opening_token: _, content, closing_token: _ } in rows {
                    self.exprs(content)?;
                }
            }
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) => {
                return Err(foreign("a write inside a query"));
            }
            // The canonical text says SELECT * FROM.
            SetExpr::Table(_) => return Err(foreign("TABLE")),
        }
        order_by.map_or(Ok(()), |order_by| self.order_by(order_by))
    }

    fn select(&mut self, select: &mut Select, order_by: Option<&mut OrderBy>) -> Done {
        let Select {
            select_token: _,
            optimizer_hints,
            distinct,
            select_modifiers,
            top,
            top_before_distinct,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            // Only of meaning with QUALIFY.
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        absent(optimizer_hints.is_empty(), "an optimizer hint")?;
        absent(select_modifiers.is_none(), "a SELECT modifier")?;
        absent(top.is_none() && !*top_before_distinct, "TOP")?;
        absent(exclude.is_none(), "EXCLUDE")?;
        absent(into.is_none(), "INTO")?;
        absent(lateral_views.is_empty(), "LATERAL VIEW")?;
        absent(prewhere.is_none(), "PREWHERE")?;
        absent(connect_by.is_empty(), "CONNECT BY")?;
        absent(cluster_by.is_empty() && distribute_by.is_empty() && sort_by.is_empty(), "SORT BY")?;
        absent(qualify.is_none(), "QUALIFY")?;
        absent(value_table_mode.is_none(), "SELECT AS")?;
        absent(matches!(flavor, SelectFlavor::Standard), "FROM before SELECT")?;

        let start = self.mentions.len();
        let mut items = Vec::new();
        for table in from.iter_mut() {
            self.replace_relations(table, &mut items)?;
        }
        self.scopes.push(items);
        for table in from.iter_mut() {
            self.inside_from(table)?;
        }
        let merges = merges(from);
        if let Some(condition) = selection {
            self.move_lookups(condition, merges);
        }
        self.maybe(selection.as_mut())?;
        self.group_by(group_by)?;
        // Mentioned from here on: what a sub-select would have to find in GROUP BY.
        let before = self.mentions.len();
        match distinct {
            None | Some(Distinct::All | Distinct::Distinct) => {}
            Some(Distinct::On(exprs)) => self.exprs(exprs)?,
        }
        for item in projection.iter_mut() {
            self.select_item(item)?;
        }
        self.maybe(having.as_mut())?;
        for NamedWindowDefinition(_, window) in named_window {
            match window {
                NamedWindowExpr::NamedWindow(_) => {}
                NamedWindowExpr::WindowSpec(spec) => self.window(spec)?,
            }
        }
        if let Some(order_by) = order_by {
            self.order_by(order_by)?;
        }
        self.restore_dependency(group_by, projection, before);
        self.expand_stars(projection, start, merges)?;
        self.scopes.pop();
        Ok(())
    }

    fn group_by(&mut self, group_by: &mut GroupByExpr) -> Done {
        match group_by {
            GroupByExpr::All(_) => Err(foreign("GROUP BY ALL")),
            GroupByExpr::Expressions(exprs, modifiers) => {
                for modifier in modifiers.iter_mut() {
                    match modifier {
                        GroupByWithModifier::GroupingSets(expr) => self.expr(expr)?,
                        GroupByWithModifier::Rollup
                        | GroupByWithModifier::Cube
                        | GroupByWithModifier::Totals => return Err(foreign("GROUP BY WITH")),
                    }
                }
                self.exprs(exprs)
            }
        }
    }

    fn select_item(&mut self, item: &mut SelectItem) -> Done {
        match item {
            SelectItem::UnnamedExpr(expr) => self.expr(expr),
            SelectItem::ExprWithAlias { expr, alias: _ } => self.expr(expr),
            SelectItem::ExprWithAliases { .. } => Err(foreign("several aliases")),
            SelectItem::Wildcard(options) => {
                self.mentions.push(vec!["*".into()]);
                plain_star(options)
            }
            SelectItem::QualifiedWildcard(kind, options) => {
                plain_star(options)?;
                match kind {
                    SelectItemQualifiedWildcardKind::ObjectName(name) => self.qualified_star(name),
                    SelectItemQualifiedWildcardKind::Expr(expr) => self.expr(expr),
                }
            }
        }
    }

    /// `alias.*`, `schema.table.*`: the schema goes, as in `schema.table.column`.
    pub(super) fn qualified_star(&mut self, name: &mut ObjectName) -> Done {
        let mut names = parts(name).ok_or_else(|| foreign("a function in a name"))?;
        names.push("*".into());
        if let Some(kept) = self.without_schema(&names) {
            let cut = names.len().saturating_sub(kept);
            name.0.drain(..cut.min(name.0.len()));
            names.drain(..cut);
        }
        self.mentions.push(names);
        Ok(())
    }

    pub(super) fn order_by(&mut self, order_by: &mut OrderBy) -> Done {
        let OrderBy { kind, interpolate } = order_by;
        absent(interpolate.is_none(), "INTERPOLATE")?;
        match kind {
            OrderByKind::All(_) => Err(foreign("ORDER BY ALL")),
            OrderByKind::Expressions(exprs) => self.order_by_exprs(exprs),
        }
    }

    pub(super) fn order_by_exprs(&mut self, exprs: &mut [OrderByExpr]) -> Done {
        for OrderByExpr { expr, options: _, with_fill } in exprs {
            absent(with_fill.is_none(), "WITH FILL")?;
            self.expr(expr)?;
        }
        Ok(())
    }
}

fn plain_star(options: &WildcardAdditionalOptions) -> Done {
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    absent(
        opt_ilike.is_none()
            && opt_exclude.is_none()
            && opt_except.is_none()
            && opt_replace.is_none()
            && opt_rename.is_none()
            && opt_alias.is_none(),
        "a star with options",
    )
}
