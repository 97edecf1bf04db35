// Bundles workflows/*.ts with the official SDK's own script, and puts the plugin beside them:
// dist/<name>.js and dist/plugin.wasm, as crates/engine/tests/typescript.rs reads them.
// npm ci && node build.mjs [folder with node_modules]
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "node_modules");
if (!existsSync(modules)) {
  if (!process.argv[2]) throw new Error("run `npm ci` first");
  symlinkSync(join(resolve(process.argv[2]), "node_modules"), modules);
}

// bun's postinstall moves the platform's program into the package; npm may have blocked it, and then the
// program is where it came in.
const programs = [
  ...readdirSync(join(modules, "@oven")).map((name) => join(modules, "@oven", name, "bin", "bun")),
  join(modules, "bun", "bin", "bun.exe"),
];
const program = programs.find((path) => existsSync(path) && statSync(path).size > 1_000_000);
if (!program) throw new Error("bun has no program for this platform");

const dist = join(here, "dist");
mkdirSync(dist, { recursive: true });
// The SDK's script calls `bun` by name.
const bun = join(dist, "bun");
copyFileSync(program, bun);
chmodSync(bun, 0o755);
copyFileSync(
  join(modules, "@chainlink/cre-sdk-javy-plugin/dist/javy-chainlink-sdk.plugin.wasm"),
  join(dist, "plugin.wasm"),
);
for (const file of readdirSync(join(here, "workflows")).filter((name) => name.endsWith(".ts")).sort()) {
  const out = join(dist, file.replace(/\.ts$/, ".js"));
  execFileSync(
    bun,
    [join(modules, "@chainlink/cre-sdk/scripts/run.ts"), "compile-to-js", join(here, "workflows", file), out, "--skip-type-checks"],
    { cwd: here, stdio: "inherit", env: { ...process.env, PATH: `${dist}:${process.env.PATH}` } },
  );
}
