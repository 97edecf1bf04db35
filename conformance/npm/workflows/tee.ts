// A handler that asks for a TEE, and one that does not.
import {
  CronCapability,
  handler,
  handlerInTee,
  HTTPClient,
  Runner,
  type Runtime,
  type TeeRuntime,
} from "@chainlink/cre-sdk";

type Config = { url: string };

const inTee = (runtime: TeeRuntime<Config>): string => {
  const response = new HTTPClient().sendRequest(runtime, { url: runtime.config.url, method: "GET" }).result();
  return `in tee ${response.statusCode}`;
};

export async function main() {
  const runner = await Runner.newRunner<Config>();
  await runner.run(() => [
    handlerInTee(new CronCapability().trigger({ schedule: "0 * * * * *" }), inTee, [
      { tee: "nitro", regions: ["us-west-2"] },
    ]),
    handler(new CronCapability().trigger({ schedule: "30 * * * * *" }), (_: Runtime<Config>) => "outside"),
  ]);
}
