//! Whether clients should come here, check by check.

use serde_json::{Map, Value, json};

/// All checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    /// In the order in which they are told.
    pub checks: Vec<Check>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What is checked, in a word.
    pub name: &'static str,
    /// Why it is not well; `None`: it is.
    pub fault: Option<String>,
    /// What else there is to know, by name.
    pub notes: Vec<(&'static str, String)>,
}

impl Check {
    /// A check without notes.
    pub fn new(name: &'static str, fault: Option<String>) -> Check {
        Check { name, fault, notes: Vec::new() }
    }

    /// With something else to know.
    pub fn note(mut self, name: &'static str, text: impl Into<String>) -> Check {
        self.notes.push((name, text.into()));
        self
    }
}

impl Health {
    /// True when every check is well.
    pub fn is_ready(&self) -> bool {
        self.checks.iter().all(|check| check.fault.is_none())
    }

    /// As JSON, with a line's end.
    pub fn json(&self) -> String {
        let mut checks = Map::new();
        for check in &self.checks {
            let mut told = Map::new();
            told.insert("ok".to_owned(), Value::Bool(check.fault.is_none()));
            if let Some(fault) = &check.fault {
                told.insert("reason".to_owned(), Value::String(fault.clone()));
            }
            for (name, text) in &check.notes {
                told.insert((*name).to_owned(), Value::String(text.clone()));
            }
            checks.insert(check.name.to_owned(), Value::Object(told));
        }
        format!("{}\n", json!({"ready": self.is_ready(), "checks": checks}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_fault_is_enough() {
        let rules = Check::new("rules", None).note("version", "0123");
        let mut health = Health { checks: vec![rules] };
        assert!(health.is_ready());
        assert_eq!(
            health.json(),
            "{\"ready\":true,\"checks\":{\"rules\":{\"ok\":true,\"version\":\"0123\"}}}\n"
        );
        health.checks.push(Check::new("audit", Some("the disk is full".to_owned())));
        assert!(!health.is_ready());
        assert!(health.json().contains("{\"ok\":false,\"reason\":\"the disk is full\"}"));
    }
}
