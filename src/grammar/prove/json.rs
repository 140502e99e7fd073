//! SQL/JSON: constructors, query functions, JSON_TABLE.
//! <https://www.postgresql.org/docs/current/functions-json.html>
//!
//! Each is asked about as a function of its name too, since a server that is older than the syntax calls one.

use pg_query::protobuf;
use pg_query::protobuf::node::Node;
use pg_query::protobuf::{JsonExprOp, JsonTableColumnType};

use super::expression::refuse;
use super::query::unexpected;
use super::{Extent, Proven, Violation, Walker};

impl<'t> Walker<'t, '_> {
    pub(super) fn json_expression(&mut self, node: &'t Node) -> Proven {
        match node {
            Node::JsonFuncExpr(function) => self.json_function(function),
            Node::JsonObjectConstructor(object) => {
                let protobuf::JsonObjectConstructor {
                    exprs,
                    output,
                    absent_on_null: _,
                    unique: _,
                    location: _,
                } = object;
                self.ask_json("json_object")?;
                exprs.iter().try_for_each(|pair| self.json_pair_node(pair))?;
                self.json_output(output.as_ref())
            }
            Node::JsonArrayConstructor(array) => {
                let protobuf::JsonArrayConstructor {
                    exprs,
                    output,
                    absent_on_null: _,
                    location: _,
                } = array;
                self.ask_json("json_array")?;
                exprs.iter().try_for_each(|value| self.json_value_node(value))?;
                self.json_output(output.as_ref())
            }
            Node::JsonArrayQueryConstructor(array) => {
                let protobuf::JsonArrayQueryConstructor {
                    query,
                    output,
                    format,
                    absent_on_null: _,
                    location: _,
                } = &**array;
                if self.extent == Extent::Expression {
                    return Err(refuse(node));
                }
                self.ask_json("json_array")?;
                self.json_format(format.as_ref())?;
                self.subselect(query)?;
                self.json_output(output.as_ref())
            }
            Node::JsonObjectAgg(aggregate) => {
                let protobuf::JsonObjectAgg { constructor, arg, absent_on_null: _, unique: _ } =
                    &**aggregate;
                self.ask_json("json_objectagg")?;
                match arg {
                    Some(pair) => self.json_pair(pair)?,
                    None => return Err(refuse(node)),
                }
                self.json_aggregate(constructor.as_deref())
            }
            Node::JsonArrayAgg(aggregate) => {
                let protobuf::JsonArrayAgg { constructor, arg, absent_on_null: _ } = &**aggregate;
                self.ask_json("json_arrayagg")?;
                self.json_value(arg.as_deref())?;
                self.json_aggregate(constructor.as_deref())
            }
            Node::JsonIsPredicate(predicate) => {
                let protobuf::JsonIsPredicate {
                    expr,
                    format,
                    item_type: _,
                    unique_keys: _,
                    location: _,
                } = &**predicate;
                self.json_format(format.as_ref())?;
                self.needed(expr, "JsonIsPredicate")
            }
            Node::JsonParseExpr(parse) => {
                let protobuf::JsonParseExpr { expr, output, unique_keys: _, location: _ } =
                    &**parse;
                self.ask_json("json")?;
                self.json_value(expr.as_deref())?;
                self.json_output(output.as_ref())
            }
            Node::JsonScalarExpr(scalar) => {
                let protobuf::JsonScalarExpr { expr, output, location: _ } = &**scalar;
                self.ask_json("json_scalar")?;
                self.needed(expr, "JsonScalarExpr")?;
                self.json_output(output.as_ref())
            }
            Node::JsonSerializeExpr(serialize) => {
                let protobuf::JsonSerializeExpr { expr, output, location: _ } = &**serialize;
                self.ask_json("json_serialize")?;
                self.json_value(expr.as_deref())?;
                self.json_output(output.as_ref())
            }
            other => Err(refuse(other)),
        }
    }

    /// JSON_VALUE, JSON_QUERY, JSON_EXISTS.
    fn json_function(&mut self, function: &'t protobuf::JsonFuncExpr) -> Proven {
        let protobuf::JsonFuncExpr {
            op,
            column_name: _,
            context_item,
            pathspec,
            passing,
            output,
            on_empty,
            on_error,
            wrapper: _,
            quotes: _,
            location: _,
        } = function;
        match JsonExprOp::try_from(*op) {
            Ok(JsonExprOp::JsonExistsOp) => self.ask_json("json_exists")?,
            Ok(JsonExprOp::JsonQueryOp) => self.ask_json("json_query")?,
            Ok(JsonExprOp::JsonValueOp) => self.ask_json("json_value")?,
            Ok(JsonExprOp::JsonTableOp | JsonExprOp::Undefined) | Err(_) => {
                return Err(Violation::Node("JsonFuncExpr"));
            }
        }
        self.json_value(context_item.as_deref())?;
        self.needed(pathspec, "JsonFuncExpr")?;
        self.json_passing(passing)?;
        self.json_output(output.as_ref())?;
        self.json_behavior(on_empty.as_deref())?;
        self.json_behavior(on_error.as_deref())
    }

    pub(super) fn json_table(&mut self, table: &'t protobuf::JsonTable) -> Proven {
        let protobuf::JsonTable {
            context_item,
            pathspec,
            passing,
            columns,
            on_error,
            alias,
            lateral: _,
            location: _,
        } = table;
        self.ask_json("json_table")?;
        self.alias(alias.as_ref())?;
        self.json_value(context_item.as_deref())?;
        self.json_path(pathspec.as_deref())?;
        self.json_passing(passing)?;
        self.json_columns(columns)?;
        self.json_behavior(on_error.as_deref())
    }

    /// Columns of JSON_TABLE, which nest.
    fn json_columns(&mut self, columns: &'t [protobuf::Node]) -> Proven {
        for column in columns {
            let Some(Node::JsonTableColumn(column)) = &column.node else {
                return Err(unexpected(&column.node, "JsonTableColumn"));
            };
            let protobuf::JsonTableColumn {
                coltype,
                name,
                type_name,
                pathspec,
                format,
                wrapper: _,
                quotes: _,
                columns,
                on_empty,
                on_error,
                location: _,
            } = &**column;
            self.label(name);
            match JsonTableColumnType::try_from(*coltype) {
                Ok(
                    JsonTableColumnType::JtcForOrdinality
                    | JsonTableColumnType::JtcRegular
                    | JsonTableColumnType::JtcExists
                    | JsonTableColumnType::JtcFormatted
                    | JsonTableColumnType::JtcNested,
                ) => {}
                Ok(JsonTableColumnType::Undefined) | Err(_) => {
                    return Err(Violation::Node("JsonTableColumn"));
                }
            }
            type_name.as_ref().map_or(Ok(()), |name| self.ask_made_type(name))?;
            self.json_path(pathspec.as_deref())?;
            self.json_format(format.as_ref())?;
            self.json_columns(columns)?;
            self.json_behavior(on_empty.as_deref())?;
            self.json_behavior(on_error.as_deref())?;
        }
        Ok(())
    }

    fn json_path(&mut self, path: Option<&'t protobuf::JsonTablePathSpec>) -> Proven {
        let Some(path) = path else { return Ok(()) };
        let protobuf::JsonTablePathSpec { string, name: _, name_location: _, location: _ } = path;
        self.needed(string, "JsonTablePathSpec")
    }

    fn json_passing(&mut self, passing: &'t [protobuf::Node]) -> Proven {
        for argument in passing {
            let Some(Node::JsonArgument(argument)) = &argument.node else {
                return Err(unexpected(&argument.node, "JsonArgument"));
            };
            let protobuf::JsonArgument { val, name: _ } = &**argument;
            self.json_value(val.as_deref())?;
        }
        Ok(())
    }

    fn json_pair_node(&mut self, pair: &'t protobuf::Node) -> Proven {
        match &pair.node {
            Some(Node::JsonKeyValue(pair)) => self.json_pair(pair),
            other => Err(unexpected(other, "JsonKeyValue")),
        }
    }

    fn json_pair(&mut self, pair: &'t protobuf::JsonKeyValue) -> Proven {
        let protobuf::JsonKeyValue { key, value } = pair;
        self.needed(key, "JsonKeyValue")?;
        self.json_value(value.as_deref())
    }

    fn json_value_node(&mut self, value: &'t protobuf::Node) -> Proven {
        match &value.node {
            Some(Node::JsonValueExpr(value)) => self.json_value(Some(value)),
            other => Err(unexpected(other, "JsonValueExpr")),
        }
    }

    fn json_value(&mut self, value: Option<&'t protobuf::JsonValueExpr>) -> Proven {
        let Some(value) = value else { return Err(Violation::Node("JsonValueExpr")) };
        let protobuf::JsonValueExpr { raw_expr, formatted_expr, format } = value;
        self.raw(formatted_expr, "JsonValueExpr")?;
        self.json_format(format.as_ref())?;
        self.needed(raw_expr, "JsonValueExpr")
    }

    fn json_aggregate(&mut self, aggregate: Option<&'t protobuf::JsonAggConstructor>) -> Proven {
        let Some(aggregate) = aggregate.filter(|_| self.extent == Extent::Query) else {
            return Err(Violation::Node("JsonAggConstructor"));
        };
        let protobuf::JsonAggConstructor { output, agg_filter, agg_order, over, location: _ } =
            aggregate;
        self.json_output(output.as_ref())?;
        self.optional(agg_filter)?;
        self.sort(agg_order)?;
        over.as_deref().map_or(Ok(()), |window| self.window(window))
    }

    fn json_behavior(&mut self, behavior: Option<&'t protobuf::JsonBehavior>) -> Proven {
        let Some(behavior) = behavior else { return Ok(()) };
        let protobuf::JsonBehavior { btype: _, expr, coerce: _, location: _ } = behavior;
        self.optional(expr)
    }

    fn json_output(&mut self, output: Option<&protobuf::JsonOutput>) -> Proven {
        let Some(output) = output else { return Ok(()) };
        let protobuf::JsonOutput { type_name, returning } = output;
        if let Some(returning) = returning {
            let protobuf::JsonReturning { format, typid, typmod: _ } = returning;
            self.json_format(format.as_ref())?;
            if *typid != 0 {
                return Err(Violation::Node("JsonReturning"));
            }
        }
        type_name.as_ref().map_or(Ok(()), |name| self.ask_made_type(name))
    }

    fn json_format(&self, format: Option<&protobuf::JsonFormat>) -> Proven {
        // Two words; taken apart so that a third would not go unseen.
        if let Some(protobuf::JsonFormat { format_type: _, encoding: _, location: _ }) = format {}
        Ok(())
    }
}
