//! What of a configuration a running Scrim cannot follow.

use super::Config;
use crate::ledger::{GrantsOptions, Place};

impl Config {
    /// Keys that differ in a newer configuration and count only after a restart. The others (`rules`, `tls`, `jwt`,
    /// `reload`, `drain_seconds` and `log.level`) are followed.
    pub fn needs_restart(&self, newer: &Config) -> Vec<&'static str> {
        let key = |config: &Config| {
            config.pseudonym_key.as_ref().map(|key| key.parameters().collect::<Vec<_>>())
        };
        let differs = [
            ("listen", self.listen != newer.listen),
            ("limits", self.connection_limits != newer.connection_limits),
            ("proxy_protocol", self.proxies != newer.proxies),
            ("admin", self.admin != newer.admin),
            ("console", self.console != newer.console),
            ("database", self.endpoint != newer.endpoint),
            ("database.name", self.database != newer.database),
            ("pool", self.pool != newer.pool),
            ("masks", self.masks_on_the_wire != newer.masks_on_the_wire),
            ("audit", self.audit != newer.audit),
            ("grants", !are_same(self.grants.as_ref(), newer.grants.as_ref())),
            ("secrets", key(self) != key(newer)),
            ("telemetry", self.telemetry != newer.telemetry),
            ("log.format", self.log.format != newer.log.format),
        ];
        differs.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
    }
}

fn are_same(left: Option<&GrantsOptions>, right: Option<&GrantsOptions>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        return left.is_none() && right.is_none();
    };
    let is_same_place = match (&left.place, &right.place) {
        (Place::File(left), Place::File(right)) => left == right,
        (Place::Shared(left), Place::Shared(right)) => {
            left.database == right.database && left.endpoint == right.endpoint
        }
        (Place::File(_), Place::Shared(_)) | (Place::Shared(_), Place::File(_)) => false,
    };
    is_same_place && left.name == right.name
}
