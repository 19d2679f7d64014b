import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // native addons are loaded in processes of their own: a crash fails one file, not the run
    pool: 'forks',
    // a suite may keep all cores busy; two at a time only make both slow
    fileParallelism: false,
    // what a user's cache knows of the adapter, and what this machine is busy with, must not decide what a test sees
    env: { LFM_AUTOTUNE: 'off' },
    testTimeout: 120_000,
    hookTimeout: 600_000,
  },
})
