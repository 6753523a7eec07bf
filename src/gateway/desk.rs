//! What the two planes and the commands ask of a gateway besides answering chats: names, records,
//! health, metrics, purges and reloads.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::{HeaderMap, Uri};

use crate::access::{Caller, Rights};
use crate::cache::{Cache, Level, Purge};
use crate::config::Settings;
use crate::dispatch::{SetupFault, TargetHealth};
use crate::embed::Embedder;
use crate::error::GatewayError;
use crate::http::hosts;
use crate::jobs::Jobs;
use crate::now::Now;
use crate::policy;
use crate::record::{DecisionRecord, Recorder};
use crate::route::Heads;

use super::{Gateway, State};

impl Gateway {
    pub fn settings(&self) -> Arc<Settings> {
        self.state.load().settings.clone()
    }

    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Names that the caller behind these headers may ask for, as `GET /v1/models` lists them.
    pub fn names(&self, headers: &HeaderMap) -> Result<Vec<String>, GatewayError> {
        let state = self.state.load();
        let caller = state.access.authenticate(headers)?;
        let allowed = policy::allowed_names(&state.settings, &caller);
        Ok(allowed.into_iter().map(|allowed| allowed.name).collect())
    }

    /// Refuses a name that the caller behind these headers may not ask for.
    pub fn check_name(&self, headers: &HeaderMap, name: &str) -> Result<(), GatewayError> {
        let state = self.state.load();
        let caller = state.access.authenticate(headers)?;
        let allowed = policy::allowed_names(&state.settings, &caller);
        if allowed.iter().any(|allowed| allowed.name == name) {
            return Ok(());
        }
        Err(policy::models::not_found(&state.settings, &caller, name))
    }

    /// The record of a request of the caller's own tenant, while it is in the ring.
    pub fn record_of(
        &self,
        headers: &HeaderMap,
        id: &str,
    ) -> Result<Option<Arc<DecisionRecord>>, GatewayError> {
        let caller = self.state.load().access.authenticate(headers)?;
        let record = self.recorder.ring.find(id);
        Ok(record.filter(|record| record.tenant == *caller.tenant))
    }

    /// An open plane answers to loopback names only; with keys, the key decides.
    pub fn check_host(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), GatewayError> {
        let state = self.state.load();
        if !state.access.is_open() {
            return Ok(());
        }
        hosts::check(headers, uri, &state.settings.server.allowed_hosts)
    }

    /// A caller for an explanation: the rights of the tenant's first key, or all of them.
    pub fn caller_of_tenant(&self, tenant: Option<&str>) -> Result<Arc<Caller>, GatewayError> {
        let Some(tenant) = tenant else { return Ok(Arc::new(Caller::anonymous())) };
        let settings = self.settings();
        let caller = match settings.keys.iter().find(|key| &*key.tenant == tenant) {
            Some(key) => Caller {
                tenant: key.tenant.clone(),
                key: Some(key.name.clone()),
                rights: key.rights.clone(),
            },
            None if settings.keys.is_empty() => {
                Caller { tenant: tenant.into(), key: None, rights: Rights::all() }
            }
            None => {
                let message = format!("No key of the configuration belongs to tenant `{tenant}`.");
                return Err(GatewayError::bad_param("tenant", message));
            }
        };
        Ok(Arc::new(caller))
    }

    /// Takes the gateway apart again and keeps the models, which are slow to load.
    pub fn into_models(self) -> (Option<Embedder>, Option<Heads>) {
        (self.embedder, self.heads)
    }

    pub fn has_model(&self, name: &str) -> bool {
        self.state.load().settings.model(name).is_some()
    }

    pub fn has_key(&self, name: &str) -> bool {
        self.state.load().settings.keys.iter().any(|key| &*key.name == name)
    }

    /// Purges memory and file, and returns how many entries went.
    ///
    /// # Errors
    /// Memory is purged, but the file may still hold what was to go.
    pub async fn purge(&self, what: Purge) -> Result<usize, GatewayError> {
        let cache = self.cache.clone();
        // It waits for the disk.
        let purged = tokio::task::spawn_blocking(move || cache.purge(&what, Now::read())).await;
        match purged {
            Ok(Ok(purged)) => Ok(purged),
            Ok(Err(undone)) => Err(GatewayError::PurgeUndone { message: undone.to_string() }),
            Err(error) => Err(GatewayError::Internal { log: error.to_string() }),
        }
    }

    pub fn targets(&self) -> Vec<TargetHealth> {
        self.dispatcher.targets()
    }

    /// Metrics, with the gauges of live state brought up to date.
    pub fn metrics_text(&self) -> String {
        let metrics = &self.recorder.metrics;
        for level in [Level::Exact, Level::Semantic] {
            let entries = self.cache.entries(level) as i64;
            metrics.cache_entries.with_label_values(&[level.name()]).set(entries);
        }
        metrics.cache_bytes.set(self.cache.bytes() as i64);
        metrics.cache_followers.set(self.flights.followers() as i64);
        let answers = self.recorder.answers.len();
        metrics.cache.levels(&self.cache.stats(), answers, self.cache.pairs_apart());
        metrics.cache.verdicts(&self.cache.minds().given());
        let in_force = self.settings();
        metrics.cache.lanes(&self.cache.minds().standings(), |name| {
            let is_tier =
                || name.strip_prefix("tier/").is_some_and(|it| in_force.tier(it).is_some());
            in_force.route(name).is_some() || in_force.model(name).is_some() || is_tier()
        });
        if let Some(learner) = &self.learner {
            metrics.route.standings(&learner.standings());
        }
        let queued = self.embedder.as_ref().map_or(0, |embedder| embedder.queued());
        metrics.embed_queue.set(queued as i64);
        let free = self.in_flight.available_permits();
        metrics.in_flight.set(self.max_in_flight.saturating_sub(free) as i64);
        // A label set is bounded: ids that only callers name are no labels.
        let settings = self.settings();
        let known: HashSet<String> = settings.models.iter().map(|model| model.label()).collect();
        for target in self.targets().into_iter().filter(|it| known.contains(&it.target)) {
            let gauge = metrics.target_healthy.with_label_values(&[&target.target]);
            gauge.set(i64::from(target.healthy));
        }
        metrics.text()
    }

    /// Puts new settings in force and names what only a restart can change.
    ///
    /// # Errors
    /// The settings need an HTTP client that cannot be set up; the old ones stay in force.
    pub fn reload(&self, settings: Settings) -> Result<Vec<&'static str>, SetupFault> {
        let old = self.settings();
        let changed = [
            ("server.listen", old.server.listen != settings.server.listen),
            ("server.admin_listen", old.server.admin_listen != settings.server.admin_listen),
            ("server.max_in_flight", old.server.max_in_flight != settings.server.max_in_flight),
            ("embedder", old.embedder != settings.embedder),
            ("cache.exact", old.cache.exact != settings.cache.exact),
            ("cache.semantic", old.cache.semantic != settings.cache.semantic),
            ("cache.persistence", old.cache.persistence != settings.cache.persistence),
            ("telemetry.log", old.telemetry.log != settings.telemetry.log),
            ("telemetry.ring", old.telemetry.ring != settings.telemetry.ring),
            ("telemetry.record", old.telemetry.record != settings.telemetry.record),
        ];
        let state = State::new(settings);
        self.dispatcher.reload(state.settings.clone())?;
        self.recorder.learn_targets(&state.settings);
        self.cache.keep_expired(&state.settings.cache);
        if let Some(learner) = &self.learner {
            learner.reload(&state.settings);
        }
        self.state.store(state);
        Ok(changed.into_iter().filter(|(_, changed)| *changed).map(|(what, _)| what).collect())
    }

    /// Work beside the line.
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// From now on the gateway is not ready, and begins no work of its own.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.jobs.close();
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}
