//! actix-web's hello server, with a worker for each core at its disposal.

use std::{io, thread};

use actix_web::{App, HttpServer, web};
use peers::{HELLO, listen, listen_address};

#[actix_web::main]
async fn main() -> io::Result<()> {
    let listener = listen(listen_address())?;
    HttpServer::new(|| App::new().default_service(web::to(|| async { HELLO })))
        .workers(thread::available_parallelism()?.get())
        .listen(listener)?
        .run()
        .await
}
