/**
 * This process's own environment, for programs that are to find a person's settings in it (certificates, proxies, credential
 * helpers, ssh keys).
 */
export const ownEnvironment = (): NodeJS.ProcessEnv => process.env;
