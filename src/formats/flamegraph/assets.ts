// The page's own code and style, made of src/viewer by scripts/build-viewer.mjs: strings in dist/viewer/bundle.js. They hold no `</script` and no `</style`,
// which the build checks.

import { StrobeError } from '../../errors';

export interface Assets {
  script: string;
  style: string;
}

/** @throws StrobeError ERR_IO in a checkout that was not built whole */
export function pageAssets(): Assets {
  try {
    return require('../../viewer/bundle.js') as Assets;
  } catch (cause) {
    throw new StrobeError('ERR_IO', 'the flame graph page is not built (dist/viewer/bundle.js is missing): run npm run build:ts', {
      cause,
    });
  }
}
