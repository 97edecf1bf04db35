// A cron trigger, DON time, a log line: the least that a workflow does.
import { CronCapability, type CronPayload, handler, Runner, type Runtime } from "@chainlink/cre-sdk";

type Config = { schedule: string };

const onTick = (runtime: Runtime<Config>, payload: CronPayload): string => {
  runtime.log("tick");
  return `${runtime.now().toISOString()} ${payload.scheduledExecutionTime?.seconds}`;
};

export async function main() {
  const runner = await Runner.newRunner<Config>();
  await runner.run((config: Config) => [
    handler(new CronCapability().trigger({ schedule: config.schedule }), onTick),
  ]);
}
