import { Argument, Command, Option } from "commander";
import { accessOptions } from "../access-options.ts";
import type { DoctorOptions } from "../aws-doctor.ts";
import type { LintOptions } from "../aws-lint.ts";
import type { PolicyOptions, TrustOptions } from "../aws-policy.ts";
import type { SetupOptions } from "../aws-setup.ts";
import { collect } from "../collect.ts";

const TRUST_KINDS = ["ec2", "irsa", "pod-identity", "account", "sagemaker"] as const;

export function awsCommand(): Command {
  return new Command("aws")
    .description("The AWS side of a queue: the roles and policies that agent and jobs need.")
    .addCommand(policyCommand())
    .addCommand(lintCommand())
    .addCommand(setupCommand())
    .addCommand(doctorCommand());
}

function doctorCommand(): Command {
  return accessOptions(new Command("doctor"))
    .description(
      "Look with the agent's credentials whether all that queues need works: each line says pass, fail or unknown, why, and the command that mends it.",
    )
    .option("--json", "print JSON")
    .addHelpText("after", "\nEnds with 1 if anything fails. It changes nothing.")
    .action(async (options: DoctorOptions) => {
      const { doctor } = await import("../aws-doctor.ts");
      process.exitCode = await doctor(options);
    });
}

function setupCommand(): Command {
  return trustOptions(accessOptions(new Command("setup")))
    .description(
      "Show what queues need on AWS and is not there yet: repository, buckets, both roles with their policies; --apply makes it.",
    )
    .option("--agent-role <name>", "name of the agent's role (default: slipway-launch-agent)")
    .addOption(
      new Option("--trust <party>", "where the agent runs")
        .choices(["ec2", "irsa", "pod-identity", "account"])
        .default("account"),
    )
    .option("--apply", "make what is lacking; nothing is ever deleted")
    .option("--cloudformation", "print a CloudFormation template with the same content instead")
    .option("--json", "print JSON")
    .action(async (options: SetupOptions) => {
      const { setup } = await import("../aws-setup.ts");
      await setup(options);
    });
}

function lintCommand(): Command {
  return trustOptions(
    accessOptions(new Command("lint").argument("<policy>", "a file with the policy's JSON, - for standard input")),
  )
    .description(
      "Find what a pasted policy misses or gives too much: each denied call with the reason and what happens at run time, and the statement that mends it.",
    )
    .addOption(
      new Option("--for <purpose>", "what the policy is for (default: by what is in it)").choices([
        "agent",
        "execution-role",
        "trust",
      ]),
    )
    .addOption(new Option("--who <party>", "trust: who is to assume the role").choices(TRUST_KINDS))
    .option("--only-account", "trust sagemaker: only for jobs of --account")
    .option("--no-logs", "the agent does not read logs")
    .option("--no-stop", "the agent stops no jobs")
    .option("--json", "print JSON")
    .addHelpText("after", "\nEnds with 1 if a call would be denied or more is allowed than is needed.")
    .action(async (file: string, options: LintOptions) => {
      const { lint } = await import("../aws-lint.ts");
      process.exitCode = await lint(file, options);
    });
}

function policyCommand(): Command {
  const policy = new Command("policy").description(
    "Print least-privilege IAM policies (JSON), each statement named for what it is there for.",
  );
  accessOptions(policy.command("agent"))
    .description("The policy of the agent's role: what it asks of AWS for the jobs of some queues, and nothing else.")
    .option("--no-logs", "leave out the reading of the jobs' logs")
    .option("--no-stop", "leave out the stopping of jobs")
    .option("--explain", "print what each statement is for and what happens without it")
    .action(async (options: PolicyOptions) => {
      const { printPolicy } = await import("../aws-policy.ts");
      await printPolicy("agent", options);
    });
  accessOptions(policy.command("execution-role"))
    .description("The policy of the role that jobs run as (RoleArn): the S3 paths, images, keys and VPC of the queues.")
    .option("--explain", "print what each statement is for and what happens without it")
    .action(async (options: PolicyOptions) => {
      const { printPolicy } = await import("../aws-policy.ts");
      await printPolicy("execution-role", options);
    });
  trustOptions(policy.command("trust"))
    .addArgument(new Argument("<who>", "who is to assume the role").choices(TRUST_KINDS))
    .description(
      "A role's trust policy: for the agent on EC2, on EKS (irsa, pod-identity) or anywhere (account); for the execution role sagemaker.",
    )
    .option("--region <name>", "region, for the partition (default: AWS_REGION)")
    .option("--account <id>", "the account")
    .option("--partition <name>", "aws, aws-cn, aws-us-gov, ... (default: that of the region)")
    .option("--only-account", "sagemaker: only for jobs of --account (aws:SourceAccount)")
    .option("--explain", "print what each statement is for and what happens without it")
    .action(async (who: string, options: TrustOptions) => {
      const { printTrust } = await import("../aws-policy.ts");
      printTrust(who, options);
    });
  return policy;
}

/** Details of who is trusted. */
function trustOptions(command: Command): Command {
  return command
    .option("--principal <arn>", "account: a user or role that may assume it; may be given several times", collect)
    .option("--external-id <id>", "account: what the caller must name")
    .option("--oidc-provider <url>", "irsa: the cluster's OpenID Connect provider")
    .option("--namespace <name>", "irsa: namespace of the service account")
    .option("--service-account <name>", "irsa: the service account of the agent's pods")
    .option("--cluster-arn <arn>", "pod-identity: only for pods of this cluster");
}
