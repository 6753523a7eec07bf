//! Prices and capabilities of models that the configuration does not spell out.

use std::sync::Arc;

use crate::config::settings::{Model, Provider};

/// The model `id` of a configured provider, with what the catalog knows of it.
pub fn adhoc_model(provider: &Arc<Provider>, id: &str) -> Model {
    Model {
        name: Arc::from(format!("{}/{id}", provider.name)),
        provider: provider.clone(),
        id: Arc::from(id),
        price: None,
        context: None,
        max_output: None,
        vision: false,
        tools: true,
        json_schema: true,
        web_search: false,
        fallbacks: Vec::new(),
        timeouts: provider.timeouts,
    }
}

/// The one configured provider to which the catalog gives the bare id.
pub fn provider_of(_providers: &[Arc<Provider>], _id: &str) -> Option<Arc<Provider>> {
    None
}
