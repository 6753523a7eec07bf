//! The names a caller may put into `model`: what each stands for, and whether this caller may use
//! it.

use std::collections::HashSet;
use std::sync::Arc;

use crate::access::Caller;
use crate::config::Settings;
use crate::config::settings::{Model, Route, Tier};
use crate::error::GatewayError;
use crate::price::catalog;

/// Names that a 404 lists at most.
const LISTED: usize = 50;
/// Characters of a caller's own text that an error repeats.
const REPEATED: usize = 100;

/// What a name stands for.
#[derive(Debug, Clone)]
pub enum Destination {
    Route(Arc<Route>),
    Tier(Arc<Tier>),
    /// Of `models:`, or any other id of a configured provider.
    Model(Arc<Model>),
}

/// A name that a caller may use.
#[derive(Debug, Clone)]
pub struct AllowedName {
    pub name: String,
    pub to: Destination,
}

/// What `name` stands for, the first of: a route, `tier/<name>`, a name in `models:`, an upstream id
/// in `models:`, `<provider>/<id>`, a bare id that the catalog gives to one configured provider.
pub fn find(settings: &Settings, name: &str) -> Option<Destination> {
    if let Some(route) = settings.route(name) {
        return Some(Destination::Route(route.clone()));
    }
    if let Some(tier) = name.strip_prefix("tier/").and_then(|name| settings.tier(name)) {
        return Some(Destination::Tier(tier.clone()));
    }
    let by_id = || settings.models.iter().find(|model| &*model.id == name);
    if let Some(model) = settings.model(name).or_else(by_id) {
        return Some(Destination::Model(model.clone()));
    }
    let of_provider = name.split_once('/').and_then(|(provider, id)| {
        settings.providers.iter().find(|known| &*known.name == provider).map(|known| (known, id))
    });
    if let Some((provider, id)) = of_provider.filter(|(_, id)| is_id(id)) {
        // A configured model of that provider and id brings its own price and limits.
        let configured = settings
            .models
            .iter()
            .find(|model| model.provider.name == provider.name && &*model.id == id);
        let model =
            configured.cloned().unwrap_or_else(|| Arc::new(catalog::adhoc_model(provider, id)));
        return Some(Destination::Model(model));
    }
    let provider = catalog::provider_of(&settings.providers, name)?;
    Some(Destination::Model(Arc::new(catalog::adhoc_model(&provider, name))))
}

/// An id that can stand in a header and a metric: not empty, visible characters, not endless.
fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 256 && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What `name` stands for, if this caller may use it.
///
/// # Errors
///
/// 404 with the names that the caller may use; the same for a forbidden name as for none.
pub fn find_allowed(
    settings: &Settings,
    caller: &Caller,
    name: &str,
) -> Result<Destination, GatewayError> {
    find(settings, name)
        .filter(|to| may_use(settings, caller, name, to))
        .ok_or_else(|| not_found(settings, caller, name))
}

/// Whether the caller may ask for `name`, and it exists.
pub fn is_allowed(settings: &Settings, caller: &Caller, name: &str) -> bool {
    find(settings, name).is_some_and(|to| may_use(settings, caller, name, &to))
}

/// Whether the key's list has `name` itself, or there is no list.
pub(super) fn is_listed(caller: &Caller, name: &str) -> bool {
    match &caller.rights.models {
        None => true,
        Some(listed) => listed.iter().any(|listed| listed == name),
    }
}

/// A key may use what its list names, and a listed model also by its other names (upstream id,
/// `provider/id`). The list's name must then stand for that model: where a route bears the same
/// name, the operator meant the route.
fn may_use(settings: &Settings, caller: &Caller, name: &str, to: &Destination) -> bool {
    if is_listed(caller, name) {
        return true;
    }
    let Destination::Model(model) = to else { return false };
    is_listed(caller, &model.name)
        && match find(settings, &model.name) {
            Some(Destination::Model(listed)) => {
                listed.provider.name == model.provider.name && listed.id == model.id
            }
            _ => false,
        }
}

/// The names that a caller may use, each once: routes, tiers, models, then whatever else its key
/// lists by an upstream id.
pub fn allowed_names(settings: &Settings, caller: &Caller) -> Vec<AllowedName> {
    let routes = settings.routing.routes.iter().map(|route| route.name.to_string());
    let tiers = settings.routing.tiers.iter().map(|tier| format!("tier/{}", tier.name));
    let models = settings.models.iter().map(|model| model.name.to_string());
    let listed = caller.rights.models.iter().flatten().cloned();
    let mut seen = HashSet::new();
    routes
        .chain(tiers)
        .chain(models)
        .chain(listed)
        .filter(|name| seen.insert(name.clone()))
        .filter_map(|name| {
            let to = find(settings, &name)?;
            may_use(settings, caller, &name, &to).then_some(AllowedName { name, to })
        })
        .collect()
}

/// The refusal of an unknown or forbidden name, which look alike: it lists the names that the caller
/// may use.
pub fn not_found(settings: &Settings, caller: &Caller, name: &str) -> GatewayError {
    let names = allowed_names(settings, caller);
    let mut list: Vec<String> =
        names.iter().take(LISTED).map(|allowed| format!("`{}`", allowed.name)).collect();
    if names.len() > LISTED {
        list.push(format!("and {} more", names.len() - LISTED));
    }
    let usable = if list.is_empty() {
        "This key may use no model.".to_owned()
    } else {
        format!("You may use: {}.", list.join(", "))
    };
    let name = shortened(name);
    GatewayError::ModelNotFound {
        message: format!(
            "The model `{name}` does not exist or you do not have access to it. {usable}"
        ),
    }
}

/// A caller's own text as an error may repeat it.
pub(super) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(REPEATED).collect();
    if text.chars().count() > REPEATED {
        short.push('…');
    }
    short
}
