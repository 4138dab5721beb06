//! Serves ferro-oci-server from memory on a free port of 127.0.0.1, which it prints, until it is killed.

use std::io::Write;
use std::sync::Arc;

use ferro_blob_store::InMemoryBlobStore;
use ferro_oci_server::{AppState, InMemoryRegistryMeta, router};

fn main() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_io().build()?;
    runtime.block_on(async {
        let blobs = Arc::new(InMemoryBlobStore::new());
        let state = AppState::new(blobs, Arc::new(InMemoryRegistryMeta::new()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{}", listener.local_addr()?)?;
        stdout.flush()?;
        drop(stdout);
        axum::serve(listener, router(state)).await
    })
}
