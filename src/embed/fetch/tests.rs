//! Fetching from a hub on loopback and from folders.

use std::collections::HashMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const BYTES: &[u8] = b"weights, as it were";

fn model() -> Model {
    let file = |name: &str, bytes: &[u8]| ModelFile {
        name: name.to_owned(),
        size: bytes.len() as u64,
        sha256: hex(&Sha256::digest(bytes)),
    };
    Model {
        name: "small".to_owned(),
        licence: "CC0".to_owned(),
        repository: "owner/small".to_owned(),
        revision: "abc".to_owned(),
        files: vec![file("config.json", b"{}"), file("model.safetensors", BYTES)],
    }
}

/// A hub that answers each path with a status and bytes, and anything else with 404.
async fn hub(files: &[(&'static str, u16, &'static [u8])]) -> String {
    let files: HashMap<String, (u16, &[u8])> = files
        .iter()
        .map(|(name, status, bytes)| {
            (format!("/owner/small/resolve/abc/{name}"), (*status, *bytes))
        })
        .collect();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let count = socket.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..count]).into_owned();
            let path = request.split(' ').nth(1).unwrap().to_owned();
            let (status, bytes) = files.get(&path).copied().unwrap_or((404, b""));
            let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n\r\n");
            socket.write_all(head.as_bytes()).await.unwrap();
            socket.write_all(bytes).await.unwrap();
        }
    });
    format!("http://{address}")
}

/// Names of all files below a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

async fn fetch_into(
    models: &Path,
    source: Source<'_>,
    force: bool,
) -> Result<Vec<Fetched>, ModelError> {
    let done = fetch_model(&model(), models, source, force, |_| {}).await?;
    Ok(done.into_iter().map(|(_, became)| became).collect())
}

#[tokio::test]
async fn files_come_from_the_hub_once() {
    let models = tempfile::tempdir().unwrap();
    let hub = hub(&[("config.json", 200, b"{}"), ("model.safetensors", 200, BYTES)]).await;
    let mut last = 0;
    let model = model();
    let done = fetch_model(&model, models.path(), Source::Hub(&hub), false, |progress| {
        last = progress.done;
        assert!(progress.done <= progress.size);
    });
    assert!(done.await.unwrap().iter().all(|(_, became)| *became == Fetched::Downloaded));
    assert_eq!(last, BYTES.len() as u64);
    assert_eq!(std::fs::read(models.path().join("small/model.safetensors")).unwrap(), BYTES);
    let nowhere = Source::Hub("http://127.0.0.1:1");
    let again = fetch_into(models.path(), nowhere, false).await.unwrap();
    assert_eq!(again, [Fetched::Present; 2]);
    let forced = fetch_into(models.path(), Source::Hub(&hub), true).await.unwrap();
    assert_eq!(forced, [Fetched::Downloaded; 2]);
    // A file that is not the pinned one is replaced without being asked.
    std::fs::write(models.path().join("small/config.json"), "[]").unwrap();
    let mended = fetch_into(models.path(), Source::Hub(&hub), false).await.unwrap();
    assert_eq!(mended, [Fetched::Downloaded, Fetched::Present]);
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let models = tempfile::tempdir().unwrap();
    let hub = hub(&[("config.json", 200, b"{}"), ("model.safetensors", 200, BYTES)]).await;
    fetch_into(models.path(), Source::Hub(&hub), false).await.unwrap();
    let mode = |path: &str| {
        std::fs::metadata(models.path().join(path)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!((mode("small"), mode("small/config.json")), (0o700, 0o600));
}

#[tokio::test]
async fn a_wrong_download_leaves_nothing() {
    let longer: &[u8] = b"weights, as it were, and more";
    let other: &[u8] = b"weights, as it wasn";
    let shorter: &[u8] = b"weights";
    for bytes in [longer, other, shorter] {
        let models = tempfile::tempdir().unwrap();
        let hub = hub(&[("config.json", 200, b"{}"), ("model.safetensors", 200, bytes)]).await;
        let error = fetch_into(models.path(), Source::Hub(&hub), false).await.unwrap_err();
        assert!(matches!(error, ModelError::WrongDownload { .. }), "{error}");
        assert_eq!(names(&models.path().join("small")), ["config.json"]);
    }
}

#[tokio::test]
async fn a_hub_that_is_not_there_is_named_with_the_way_out() {
    let models = tempfile::tempdir().unwrap();
    let nowhere = Source::Hub("http://127.0.0.1:1");
    let error = fetch_into(models.path(), nowhere, false).await.unwrap_err();
    assert!(matches!(error, ModelError::Unreachable { .. }), "{error}");
    let sentence = error.to_string();
    for part in ["cannot be reached", "--from DIR", "scripts/fetch-model.sh", "refused"] {
        assert!(sentence.contains(part), "{sentence}");
    }
    let hub = hub(&[("config.json", 403, b"no")]).await;
    let error = fetch_into(models.path(), Source::Hub(&hub), false).await.unwrap_err();
    assert!(matches!(error, ModelError::Refused { status: 403, .. }), "{error}");
    assert!(names(&models.path().join("small")).is_empty());
}

#[tokio::test]
async fn files_come_from_a_folder_whatever_else_lies_there() {
    let (models, from) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let below = from.path().join("package/model");
    std::fs::create_dir_all(below.join("pooling")).unwrap();
    std::fs::write(from.path().join("config.json"), "{\"another\": 1}").unwrap();
    std::fs::write(below.join("config.json"), "{}").unwrap();
    std::fs::write(below.join("pooling/config.json"), "{\"mean\": 1}").unwrap();
    let source = Source::Folder(from.path());
    let error = fetch_into(models.path(), source, false).await.unwrap_err();
    let ModelError::NotInFolder { file, .. } = &error else { panic!("{error}") };
    assert_eq!(file, "model.safetensors");
    std::fs::write(below.join("model.safetensors"), BYTES).unwrap();
    let done = fetch_into(models.path(), source, true).await.unwrap();
    assert_eq!(done, [Fetched::Copied; 2]);
    assert_eq!(std::fs::read(models.path().join("small/config.json")).unwrap(), b"{}");
}

#[tokio::test]
async fn a_folder_with_wrong_files_is_told_so() {
    let (models, from) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(from.path().join("config.json"), "[]").unwrap();
    let error = fetch_into(models.path(), Source::Folder(from.path()), false).await.unwrap_err();
    assert!(matches!(error, ModelError::NotInFolder { .. }), "{error}");
    let absent = from.path().join("absent");
    let error = fetch_into(models.path(), Source::Folder(&absent), false).await.unwrap_err();
    assert!(matches!(error, ModelError::Io { .. }), "{error}");
    assert!(names(&models.path().join("small")).is_empty());
}
