# The build for machines without CMake (node-gyp comes with npm). Sources and flags: native/sources.json, and the kernels
# of native/kernels/kernels.inc, as for CMake.
# One static library for each instruction set; the addon refers to each one's kernel table, which pulls its objects in.
{
  "includes": ["native/sources.json"],
  "target_defaults": {
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-O2"],
    "cflags!": ["-O2"],
    "cflags_cc": ["<@(lfm_flags)"],
    "xcode_settings": { "GCC_ENABLE_CPP_EXCEPTIONS": "YES", "OTHER_CPLUSPLUSFLAGS": ["<@(lfm_flags)"] },
    "include_dirs": ["native"]
  },
  "targets": [
    {
      "target_name": "lfm",
      "sources": ["<@(lfm_engine_sources)"],
      "include_dirs": [
        "<!(node -p \"require('node-addon-api').include_dir\")",
        "<!(node -p \"require('node-api-headers').include_dir\")"
      ],
      "defines": [
        "NAPI_VERSION=8",
        "NODE_ADDON_API_CPP_EXCEPTIONS",
        "NODE_ADDON_API_CPP_EXCEPTIONS_ALL",
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS"
      ],
      "conditions": [
        ["target_arch=='arm64'", { "dependencies": ["lfm_neon"] }, { "dependencies": ["lfm_avx512", "lfm_avx2", "lfm_baseline"] }]
      ]
    }
  ],
  "conditions": [
    ["target_arch=='arm64'", {
      "targets": [
        {
          "target_name": "lfm_neon",
          "type": "static_library",
          "sources": ["<@(lfm_target_sources)", "<!@(node scripts/kernel-sources.mjs)"],
          "defines": ["LFM_TARGET=neon"],
          "cflags_cc": ["<@(lfm_neon_flags)"]
        }
      ]
    }, {
      "targets": [
        {
          "target_name": "lfm_avx512",
          "type": "static_library",
          "sources": ["<@(lfm_target_sources)", "<!@(node scripts/kernel-sources.mjs)"],
          "defines": ["LFM_TARGET=avx512"],
          "cflags_cc": ["<@(lfm_avx512_flags)"],
          "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["<@(lfm_avx512_flags)"] }
        },
        {
          "target_name": "lfm_avx2",
          "type": "static_library",
          "sources": ["<@(lfm_target_sources)", "<!@(node scripts/kernel-sources.mjs)"],
          "defines": ["LFM_TARGET=avx2"],
          "cflags_cc": ["<@(lfm_avx2_flags)"],
          "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["<@(lfm_avx2_flags)"] }
        },
        {
          "target_name": "lfm_baseline",
          "type": "static_library",
          "sources": ["<@(lfm_target_sources)", "<!@(node scripts/kernel-sources.mjs)"],
          "defines": ["LFM_TARGET=baseline"],
          "cflags_cc": ["<@(lfm_baseline_flags)"],
          "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["<@(lfm_baseline_flags)"] }
        }
      ]
    }]
  ]
}
