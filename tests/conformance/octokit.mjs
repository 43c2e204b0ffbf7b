// What octokit does and shows. The runner compares that, and what went over the wire.
//
//   node octokit.mjs SCENARIO    with BASE_URL and GH_TOKEN
import fixtures from "@octokit/fixtures";
import { throttling } from "@octokit/plugin-throttling";
import { Octokit } from "@octokit/rest";

const repo = { owner: "octocat", repo: "hello-world" };
const connection = { auth: process.env.GH_TOKEN, baseUrl: process.env.BASE_URL };

const show = (value) => console.log(JSON.stringify(value, null, 1));

// How long things took, and GitHub's numbers for them.
const log = { debug() {}, info() {}, warn() {}, error() {} };

// A limit is told of, and not waited for.
const throttle = {
  onRateLimit: (_seconds, { method, url }) => show({ onRateLimit: `${method} ${url}` }),
  onSecondaryRateLimit: (_seconds, { method, url }) => show({ onSecondaryRateLimit: `${method} ${url}` }),
};

const scenarios = {
  async get(octokit) {
    show((await octokit.repos.get(repo)).data);
    show((await octokit.users.getAuthenticated()).data);
  },
  async paginate(octokit) {
    const repos = await octokit.paginate(octokit.repos.listForOrg, { org: "octo-org", per_page: 40 });
    show(repos.map(({ full_name }) => full_name));
    const runs = octokit.paginate.iterator(octokit.actions.listWorkflowRunsForRepo, repo);
    for await (const { data } of runs) show(data.map(({ id, status }) => [id, status]));
  },
  async graphql(octokit) {
    const query = `query($owner: String!, $repo: String!) {
      repository(owner: $owner, name: $repo) { issues(first: 3) { nodes { number title } } }
    }`;
    show(await octokit.graphql(query, repo));
  },
  async graphql_error(octokit) {
    show(await octokit.graphql("{ viewer { shoeSize } }"));
  },
  async conditional(octokit) {
    const { headers } = await octokit.repos.get(repo);
    show(await octokit.repos.get({ ...repo, headers: { "if-none-match": headers.etag } }));
  },
  async raw(octokit) {
    const mediaType = { format: "full" };
    show((await octokit.issues.get({ ...repo, issue_number: 1, mediaType })).data);
  },
  async missing(octokit) {
    show(await octokit.repos.get({ ...repo, repo: "no-such-repo" }));
  },
  async write(octokit) {
    show((await octokit.issues.create({ ...repo, title: "From octokit", body: "Hello" })).data);
    show((await octokit.issues.update({ ...repo, issue_number: 16, state: "closed" })).data);
    show((await octokit.issues.get({ ...repo, issue_number: 16 })).data);
  },
  async limited(octokit) {
    // Whose words the refusal is in does not matter.
    const refused = ({ status }) => ({ status });
    show(await octokit.repos.get(repo).catch(refused));
  },
  // A recording, asked again request by request.
  async recorded(octokit, name) {
    for (const { method, path, body, reqheaders, status } of fixtures.get(`api.github.com/${name}`)) {
      const { accept, "content-type": contentType } = reqheaders;
      const headers = { accept, ...(contentType && { "content-type": contentType }) };
      const asked = octokit.request(`${method} ${path}`, { data: body || undefined, headers });
      const answer = await asked.catch((error) => error);
      show([answer.status, answer.data ?? answer.message]);
      if (answer.status !== status) throw new Error(`${status} is recorded, and not ${answer.status}`);
    }
  },
};

const [scenario, ...more] = process.argv.slice(2);
const Client = scenario === "recorded" ? Octokit : Octokit.plugin(throttling);
try {
  await scenarios[scenario](new Client({ ...connection, throttle, log }), ...more);
} catch (error) {
  const { name, status, message } = error;
  show({ name, status, message });
  process.exitCode = 1;
}
