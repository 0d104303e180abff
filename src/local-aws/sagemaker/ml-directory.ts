import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Channel, type InputMode, inputModeOf, type JobHost, type TrainingRequest } from "./request.ts";

/** Where things lie under a host's /opt/ml (docs: "How Amazon SageMaker Provides Training Information"). */
export const ML_PATHS = {
  config: "input/config",
  data: "input/data",
  model: "model",
  outputData: "output/data",
  failure: "output/failure",
  checkpoints: "checkpoints",
} as const;

/** Makes a host's /opt/ml: the directories (writable by whatever user the image has) and the three configuration files. */
export async function makeMlDirectory(
  mlDir: string,
  request: TrainingRequest,
  hosts: readonly JobHost[],
  host: JobHost,
): Promise<void> {
  for (const path of [ML_PATHS.config, ML_PATHS.data, ML_PATHS.model, ML_PATHS.outputData, ML_PATHS.checkpoints]) {
    await mkdir(join(mlDir, path), { recursive: true });
  }
  for (const path of [
    ".",
    "input",
    ML_PATHS.data,
    ML_PATHS.model,
    "output",
    ML_PATHS.outputData,
    ML_PATHS.checkpoints,
  ]) {
    await chmod(join(mlDir, path), 0o777);
  }
  const write = (name: string, value: object) =>
    writeFile(join(mlDir, ML_PATHS.config, name), JSON.stringify(value), { mode: 0o644 });
  await write("hyperparameters.json", request.HyperParameters ?? {});
  await write("inputdataconfig.json", inputDataConfig(request));
  await write("resourceconfig.json", resourceConfig(request, hosts, host));
}

function inputDataConfig(request: TrainingRequest): object {
  const entries = (request.InputDataConfig ?? []).map((channel) => [
    channel.ChannelName,
    channelConfig(channel, inputModeOf(request, channel)),
  ]);
  return Object.fromEntries(entries);
}

function channelConfig(channel: Channel, mode: InputMode): object {
  return {
    ...(channel.ContentType === undefined ? {} : { ContentType: channel.ContentType }),
    // To the container FastFile is File.
    TrainingInputMode: mode === "Pipe" ? "Pipe" : "File",
    S3DistributionType: channel.DataSource.S3DataSource?.S3DataDistributionType ?? "FullyReplicated",
    RecordWrapperType: channel.RecordWrapperType ?? "None",
  };
}

function resourceConfig(request: TrainingRequest, hosts: readonly JobHost[], host: JobHost): object {
  const names = hosts.map(({ name }) => name).sort();
  const groups = request.ResourceConfig.InstanceGroups ?? [];
  const all =
    groups.length === 0
      ? [{ instance_group_name: "homogeneousCluster", instance_type: host.instanceType, hosts: names }]
      : groups.map((group) => ({
          instance_group_name: group.InstanceGroupName,
          instance_type: group.InstanceType,
          hosts: hosts.filter(({ group: name }) => name === group.InstanceGroupName).map(({ name }) => name),
        }));
  return {
    current_host: host.name,
    current_instance_type: host.instanceType,
    current_group_name: host.group ?? "homogeneousCluster",
    hosts: names,
    instance_groups: all,
    network_interface_name: "eth0",
  };
}
