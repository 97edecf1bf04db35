// Runs the workflows of a TypeScript project of Chainlink's, as checked out, and prints what becomes of each:
// node examples.mjs <project's folder> <cdpr built with --features compiler>
// The official examples are `packages/cre-sdk-examples` of smartcontractkit/cre-sdk-typescript; their packages have to be
// in a node_modules there or above, with bun, typescript and the Javy plugin. A log trigger's transaction is not made up.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";

const [project, cdpr] = process.argv.slice(2).map((path) => resolve(path));
if (!cdpr) throw new Error("give the project's folder and the program");

// Secrets that the project names are numbers here: nobody is asked for the real ones.
const secrets = join(project, "secrets.yaml");
const named = existsSync(secrets) ? readFileSync(secrets, "utf8").matchAll(/^\s*-\s*(\w+)\s*$/gm) : [];
const env = { ...process.env, ...Object.fromEntries([...named].map(([, name]) => [name, "1"])) };

const workflows = readdirSync(project, { recursive: true })
  .filter((path) => basename(path) === "workflow.yaml" && !path.includes("node_modules"))
  .map((path) => join(project, path, ".."))
  .sort();
console.log("| workflow | opens | trigger | result |\n|---|---|---|---|");
for (const folder of workflows) {
  const payload = readdirSync(folder).find((name) => /^(http_trigger_payload|htp)\.json$/.test(name));
  const extra = payload ? ["--http-payload", join(folder, payload)] : [];
  const run = (more) =>
    spawnSync(
      cdpr,
      ["workflow", "simulate", folder, "-R", project, "--non-interactive", "--trigger-index", "0", "--json", ...more],
      { encoding: "utf8", timeout: 300_000, env },
    );
  let { status, stdout, stderr } = run(extra);
  // Its first trigger may be another.
  if (status === 2 && extra.length > 0 && stderr.includes("takes none")) ({ status, stdout, stderr } = run([]));
  const said = stdout.startsWith("{") ? JSON.parse(stdout) : undefined;
  const failed = said?.calls?.find((call) => call.error);
  const refused = stderr.split("\n").find((line) => line.startsWith("error:"));
  const words = (text) => String(text).replaceAll("|", "\\|").replaceAll("\n", " ").slice(0, 160);
  const result = said?.error ?? refused ?? JSON.stringify(said?.result);
  console.log(
    `| ${relative(project, folder)} | ${status === 2 && !stderr.includes("trigger") ? "no" : "yes"} | ${said?.triggers?.[0]?.id ?? ""} | ` +
      `${words(result)}${failed ? ` (${words(failed.error)})` : ""} |`,
  );
}
if (!existsSync(join(project, "project.yaml"))) process.exitCode = 2;
