// @octokit/fixtures-server on a free port, which it prints: recordings of GitHub, each request of
// which is answered once.
//
//   node fixtures.mjs SCENARIO URL    URL: where clients reach it, for the links in its answers
import fixtures from "@octokit/fixtures";
import fixturesServer from "@octokit/fixtures-server";
import express from "express";

const [scenario, fixturesUrl] = process.argv.slice(2);

// A recording asks for the very header lines that octokit sent. To GitHub `token` and `Bearer` are
// the same credential, and `application/vnd.github.v3+json` is the media type that it sends anyway.
const recording = fixtures.get(`api.github.com/${scenario}`).map((exchange) => {
  const { accept, authorization, ...asked } = exchange.reqheaders;
  return { ...exchange, reqheaders: asked };
});

const app = express();
app.use(fixturesServer({ fixturesUrl, fixtures: { [scenario]: recording }, logLevel: "silent" }));
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
