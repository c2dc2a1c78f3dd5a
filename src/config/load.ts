// The preload's configuration: strobe.toml, and STROBE_* variables over it.

import { readEnvironment } from './environment';
import { readConfigFile } from './file';
import type { Settings } from './settings';

/**
 * Without any, the settings of a first try: CPU windows as files in ./profiles.
 * @throws StrobeError ERR_INVALID_OPTION, ERR_IO
 */
export function loadSettings(
  env: Record<string, string | undefined>,
  defaultExporters: () => NonNullable<Settings['options']['exporters']>,
): Settings {
  const file = readConfigFile(env);
  const fromEnvironment = readEnvironment(env, file !== undefined);
  const options = { ...(env.OTEL_SERVICE_NAME && { appName: env.OTEL_SERVICE_NAME }), ...file?.options, ...fromEnvironment };
  if (file?.options.tags && fromEnvironment.tags) options.tags = { ...file.options.tags, ...fromEnvironment.tags };
  options.exporters ??= defaultExporters();
  return { options, enabled: file?.enabled ?? true, notUsed: file?.notUsed ?? [] };
}
