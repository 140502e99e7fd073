//! The rules that are not in force yet: read beside those that are, and never in their way.
//!
//! INVARIANT: whatever is wrong with them is said, and changes nothing for any session.

use std::sync::{Arc, Mutex, PoisonError};

use crate::config::{Config, ProcessEnvironment, ShadowOptions, load_rules};
use crate::rules::RuleSet;
use crate::shadow::Shadow;
use crate::text::render;

/// Keeps the shadow by what the configuration names.
pub(super) struct Shadowing {
    shadow: Arc<Shadow>,
    /// What is judged now, and beside which rules.
    now: Option<(ShadowOptions, Arc<RuleSet>, String)>,
    /// What was wrong the last time.
    fault: Mutex<Option<String>>,
}

impl Shadowing {
    pub(super) fn new(shadow: Arc<Shadow>) -> Shadowing {
        Shadowing { shadow, now: None, fault: Mutex::default() }
    }

    /// By the configuration and the version of the rules in force. Where the shadow rules are broken, those before are
    /// judged on.
    pub(super) async fn follow(&mut self, config: &Config, live: &str) {
        let Some(options) = config.shadow.clone() else {
            if self.now.take().is_some() {
                self.shadow.end();
                tracing::info!("no shadow rules are judged any more");
            }
            return;
        };
        let rules = match self.read(config, &options).await {
            Ok(rules) => rules,
            Err(said) => {
                self.complain(&said);
                match &self.now {
                    Some((before, rules, _)) if before.rules == options.rules => Arc::clone(rules),
                    _ => {
                        self.now = None;
                        return self.shadow.end();
                    }
                }
            }
        };
        let is_same = self.now.as_ref().is_some_and(|(before, known, beside)| {
            *before == options && known.version == rules.version && beside == live
        });
        if is_same {
            return;
        }
        self.shadow.begin(Arc::clone(&rules), live, options.report.clone());
        tracing::info!(
            shadow = %rules.version,
            %live,
            report = %options.report.display(),
            "statements are judged by the shadow rules too"
        );
        self.now = Some((options, rules, live.to_owned()));
    }

    async fn read(&self, config: &Config, options: &ShadowOptions) -> Result<Arc<RuleSet>, String> {
        let (config, folder) = (config.clone(), options.rules.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let (rules, _) = load_rules(&folder, &ProcessEnvironment).map_err(|found| found.0)?;
            let broken = config.judge(&rules);
            match broken.is_empty() {
                true => Ok(Arc::new(rules)),
                false => Err(render(&rules.sources, &broken, false)),
            }
        });
        let read = reading.await.unwrap_or_else(|_| {
            Err("the shadow rules could not be read, which is a fault of Scrim".to_owned())
        });
        if read.is_ok() {
            *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        read
    }

    /// Once, not at every look.
    fn complain(&self, said: &str) {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if fault.as_deref() != Some(said) {
            tracing::error!(
                "the SHADOW RULES are broken; the rules in force are not touched by it:\n{said}"
            );
            *fault = Some(said.to_owned());
        }
    }
}
