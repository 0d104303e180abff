import { type ECRClient, GetAuthorizationTokenCommand } from "@aws-sdk/client-ecr";

export interface EcrToken {
  /** Where the registry API answers, as ECR says: `https://ACCOUNT.dkr.ecr.REGION.amazonaws.com`. */
  readonly endpoint: string;
  readonly username: string;
  readonly password: string;
}

/** A registry login, good for twelve hours on AWS. Throws what the SDK threw. */
export async function ecrToken(ecr: ECRClient): Promise<EcrToken> {
  const { authorizationData } = await ecr.send(new GetAuthorizationTokenCommand({}));
  const data = authorizationData?.[0];
  if (data?.authorizationToken === undefined || data.proxyEndpoint === undefined) {
    throw new Error("ecr:GetAuthorizationToken answered without a token");
  }
  const login = Buffer.from(data.authorizationToken, "base64").toString("utf8");
  const colon = login.indexOf(":");
  return { endpoint: data.proxyEndpoint, username: login.slice(0, colon), password: login.slice(colon + 1) };
}
