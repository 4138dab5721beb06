"use strict";

const http = require("node:http");
const mime = require("mime");
const ms = require("ms");
const { nanoid } = require("nanoid");

const KEPT = ms("1h");
const targets = new Map();

function answer(response, status, text, headers = {}) {
  response.writeHead(status, { "Content-Type": `${mime.getType("txt")}; charset=utf-8`, ...headers });
  response.end(text);
}

function shorten(request, response) {
  let body = "";
  request.setEncoding("utf8");
  request.on("data", (chunk) => {
    body += chunk;
    if (body.length > 4096) request.destroy();
  });
  request.on("end", () => {
    let target;
    try {
      target = new URL(body.trim()).href;
    } catch {
      answer(response, 400, "expected an address\n");
      return;
    }
    const key = nanoid(8);
    targets.set(key, target);
    setTimeout(() => targets.delete(key), KEPT).unref();
    answer(response, 201, `/${key}\n`);
  });
}

const server = http.createServer((request, response) => {
  if (request.method === "POST" && request.url === "/") {
    shorten(request, response);
    return;
  }
  if (request.url === "/health") {
    answer(response, 200, `ok, ${targets.size} kept\n`);
    return;
  }
  const target = targets.get(request.url.slice(1));
  if (target === undefined) {
    answer(response, 404, "no such address\n");
  } else {
    answer(response, 302, `${target}\n`, { Location: target });
  }
});

server.listen(Number(process.env.PORT ?? 8081), process.env.HOST ?? "127.0.0.1", () => {
  const { address, port } = server.address();
  console.log(`listening on ${address}:${port}`);
});
process.on("SIGTERM", () => server.close(() => process.exit(0)));
