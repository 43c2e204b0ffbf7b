//! The other API: queries, answered from what REST shows, too.
//!
//! <https://docs.github.com/en/graphql>. Of the language there is what clients use in queries:
//! variables and their defaults, aliases, fragments, connections. Of GitHub's schema, what
//! [`objects`] has; a field beyond that is refused in GitHub's words.

mod objects;

use std::collections::BTreeMap;

use apollo_parser::Parser;
use apollo_parser::cst::{self, CstNode as _, Definition, Selection, SelectionSet};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::resource::Refusal;
use super::routes::Visit;
use objects::QUERY;

/// The types that a fragment may be on though no object is of them.
const INTERFACES: [&str; 3] = ["Actor", "Node", "RepositoryOwner"];

/// How many items of a connection there are at most in one answer.
/// <https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api#node-limit>
const MAX_PAGE: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    query: String,
    #[serde(default)]
    operation_name: Option<String>,
    #[serde(default)]
    variables: Option<Map<String, Value>>,
}

/// A query under way.
struct Execution<'a> {
    visit: &'a Visit<'a>,
    fragments: BTreeMap<String, cst::FragmentDefinition>,
    variables: Map<String, Value>,
    errors: Vec<Value>,
    /// A field was asked for that its type does not have: there is no answer at all.
    is_invalid: bool,
}

impl Visit<'_> {
    /// The body of the answer to a query. What is wrong with one is said in a body, too.
    pub(super) fn graphql(&self) -> Result<Value, Refusal> {
        if self.caller.is_anonymous() {
            let message = "This endpoint requires you to be authenticated.";
            return Err(Refusal::new(StatusCode::UNAUTHORIZED, message));
        }
        let asked: Asked = serde_json::from_slice(&self.asked.body)
            .map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "Problems parsing JSON"))?;
        let document = Parser::new(&asked.query).parse();
        if document.errors().len() > 0 {
            return Ok(failed("Parse error"));
        }
        let (mut operations, mut fragments) = (Vec::new(), BTreeMap::new());
        for definition in document.document().definitions() {
            match definition {
                Definition::OperationDefinition(operation) => operations.push(operation),
                Definition::FragmentDefinition(fragment) => {
                    let name = fragment.fragment_name().and_then(|name| name.name());
                    fragments.insert(text(name), fragment);
                }
                _ => {}
            }
        }
        let operation = operations.into_iter().find(|operation| {
            let wanted = asked.operation_name.as_deref();
            wanted.is_none_or(|name| name.is_empty() || text(operation.name()) == name)
        });
        let Some(operation) = operation else {
            return Ok(failed(
                "A query attribute must be specified and must be a string.",
            ));
        };
        let changes = operation
            .operation_type()
            .is_some_and(|kind| kind.query_token().is_none());
        let Some(selected) = operation.selection_set().filter(|_| !changes) else {
            return Ok(failed("The stand-in has no mutations"));
        };
        let mut execution = Execution {
            visit: self,
            fragments,
            variables: asked.variables.unwrap_or_default(),
            errors: Vec::new(),
            is_invalid: false,
        };
        execution.take_defaults(&operation);
        let mut data = Map::new();
        execution.select(&json!({ "__typename": QUERY }), &selected, &mut data);
        let mut answer = json!({});
        if !execution.is_invalid {
            answer["data"] = Value::Object(data);
        }
        if !execution.errors.is_empty() {
            answer["errors"] = Value::Array(execution.errors);
        }
        Ok(answer)
    }
}

impl Execution<'_> {
    fn take_defaults(&mut self, operation: &cst::OperationDefinition) {
        let definitions = operation.variable_definitions().into_iter();
        for definition in definitions.flat_map(|all| all.variable_definitions()) {
            let name = text(definition.variable().and_then(|variable| variable.name()));
            let default = definition
                .default_value()
                .and_then(|default| default.value());
            if !self.variables.contains_key(&name)
                && let Some(default) = default
            {
                let default = self.value(&default);
                self.variables.insert(name, default);
            }
        }
    }

    /// Adds what is selected of an object.
    fn select(&mut self, object: &Value, set: &SelectionSet, into: &mut Map<String, Value>) {
        for selection in set.selections() {
            match selection {
                Selection::Field(field) => {
                    let name = text(field.name());
                    let alias = field.alias().map(|alias| text(alias.name()));
                    let value = self.field(object, &name, &field);
                    // Fragments may add to what is there already.
                    let shown = into.entry(alias.unwrap_or(name)).or_insert(Value::Null);
                    merge(shown, value);
                }
                Selection::InlineFragment(fragment) => {
                    let inner = fragment.selection_set();
                    self.select_if(object, fragment.type_condition(), inner, into);
                }
                Selection::FragmentSpread(spread) => {
                    let name = text(spread.fragment_name().and_then(|name| name.name()));
                    if let Some(fragment) = self.fragments.get(&name).cloned() {
                        let inner = fragment.selection_set();
                        self.select_if(object, fragment.type_condition(), inner, into);
                    }
                }
            }
        }
    }

    fn select_if(
        &mut self,
        object: &Value,
        condition: Option<cst::TypeCondition>,
        set: Option<SelectionSet>,
        into: &mut Map<String, Value>,
    ) {
        let on = condition
            .and_then(|on| on.named_type())
            .map(|on| text(on.name()));
        let fits = on.is_none_or(|on| {
            object["__typename"] == on.as_str() || INTERFACES.contains(&on.as_str())
        });
        if let Some(set) = set.filter(|_| fits) {
            self.select(object, &set, into);
        }
    }

    fn field(&mut self, object: &Value, name: &str, field: &cst::Field) -> Value {
        let mut arguments = Map::new();
        for argument in field
            .arguments()
            .into_iter()
            .flat_map(|all| all.arguments())
        {
            if let Some(value) = argument.value() {
                arguments.insert(text(argument.name()), self.value(&value));
            }
        }
        let found = match self.visit.lead(object, name, &arguments) {
            Ok(Some(found)) => found,
            Ok(None) => {
                let on = object["__typename"].as_str().unwrap_or_default();
                self.errors.push(json!({
                    "path": ["query", name],
                    "extensions": {
                        "code": "undefinedField", "typeName": on, "fieldName": name,
                    },
                    "message": format!("Field '{name}' doesn't exist on type '{on}'"),
                }));
                self.is_invalid = true;
                return Value::Null;
            }
            Err(message) => {
                self.errors.push(json!({
                    "type": "NOT_FOUND", "path": [name], "message": message,
                }));
                return Value::Null;
            }
        };
        match field.selection_set() {
            Some(set) => self.shown(&paged(found, &arguments), &set),
            None => found,
        }
    }

    fn shown(&mut self, found: &Value, set: &SelectionSet) -> Value {
        match found {
            Value::Null => Value::Null,
            Value::Array(all) => all.iter().map(|one| self.shown(one, set)).collect(),
            one => {
                let mut shown = Map::new();
                self.select(one, set, &mut shown);
                Value::Object(shown)
            }
        }
    }

    fn value(&self, value: &cst::Value) -> Value {
        match value {
            cst::Value::Variable(variable) => {
                let known = self.variables.get(&text(variable.name()));
                known.cloned().unwrap_or_default()
            }
            cst::Value::StringValue(string) => Value::String(String::from(string)),
            cst::Value::EnumValue(name) => Value::String(text(name.name())),
            cst::Value::ListValue(list) => list.values().map(|one| self.value(&one)).collect(),
            cst::Value::ObjectValue(object) => object
                .object_fields()
                .filter_map(|field| Some((text(field.name()), self.value(&field.value()?))))
                .collect(),
            // Numbers, booleans and null are written as in JSON.
            scalar => {
                serde_json::from_str(scalar.syntax().text().to_string().trim()).unwrap_or_default()
            }
        }
    }
}

/// The part of a connection that was asked for; anything else as it is.
/// <https://docs.github.com/en/graphql/guides/using-pagination-in-the-graphql-api>
fn paged(found: Value, arguments: &Map<String, Value>) -> Value {
    let Some(all) = objects::of_connection(&found) else {
        return found;
    };
    let count = |name: &str| {
        let count = arguments.get(name).and_then(Value::as_u64);
        count
            .and_then(|count| usize::try_from(count).ok())
            .map(|count| count.min(MAX_PAGE))
    };
    let states = arguments.get("states").filter(|states| !states.is_null());
    let all: Vec<&Value> = all
        .iter()
        .filter(|item| {
            // One value does for a list of one.
            let is = |states: &Value| match states {
                Value::Array(states) => states.contains(&item["state"]),
                state => *state == item["state"],
            };
            states.is_none_or(is)
        })
        .collect();
    let after = arguments.get("after").and_then(Value::as_str);
    let after = after
        .and_then(objects::position)
        .unwrap_or(0)
        .min(all.len());
    let (from, to) = match (count("first"), count("last")) {
        (Some(first), _) => (after, (after + first).min(all.len())),
        (None, Some(last)) => (all.len().saturating_sub(last), all.len()),
        (None, None) => (after, all.len()),
    };
    let nodes = &all[from..to];
    let edges: Vec<Value> = (from + 1..)
        .zip(nodes)
        .map(|(at, node)| json!({ "cursor": objects::cursor(at), "node": node }))
        .collect();
    json!({
        "__typename": found["__typename"],
        "totalCount": all.len(),
        "nodes": nodes,
        "edges": edges,
        "pageInfo": {
            "hasNextPage": to < all.len(),
            "hasPreviousPage": from > 0,
            "startCursor": (from < to).then(|| objects::cursor(from + 1)),
            "endCursor": (from < to).then(|| objects::cursor(to)),
        },
    })
}

fn merge(shown: &mut Value, more: Value) {
    match (shown, more) {
        (Value::Object(shown), Value::Object(more)) => {
            for (name, value) in more {
                merge(shown.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(shown), Value::Array(more)) if shown.len() == more.len() => {
            for (shown, more) in shown.iter_mut().zip(more) {
                merge(shown, more);
            }
        }
        (shown, more) => *shown = more,
    }
}

fn failed(message: &str) -> Value {
    json!({ "errors": [{ "message": message }] })
}

fn text(name: Option<cst::Name>) -> String {
    name.map(|name| name.text().to_string()).unwrap_or_default()
}
