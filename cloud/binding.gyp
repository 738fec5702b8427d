# As binding.gyp of the package above, for the cloud addon: one target that calls the real build, CMakeLists.txt.
{
  'targets': [{
    'target_name': 'asherah-cloud',
    'type': 'none',
    'actions': [{
      'action_name': 'cmake_configure',
      'inputs': ['../CMakeLists.txt'],
      'outputs': ['<(module_root_dir)/build/cmake/CMakeCache.txt'],
      'action': ['cmake', '-S', '<(module_root_dir)/..', '-B', '<(module_root_dir)/build/cmake',
                 '-DCMAKE_BUILD_TYPE=<(CONFIGURATION_NAME)', '-DADDON_OUT=<(PRODUCT_DIR)',
                 '-DASHERAH_ADDON_NAME=asherah-cloud', '-DASHERAH_GO_MAIN=go/cmd/cloud'],
    }, {
      'action_name': 'cmake_build',
      # always out of date: CMake knows the sources, and finds nothing to do in a second
      'inputs': ['<(module_root_dir)/build/cmake/CMakeCache.txt'],
      'outputs': ['<(PRODUCT_DIR)/asherah-cloud.node.built'],
      'action': ['cmake', '--build', '<(module_root_dir)/build/cmake', '--config', '<(CONFIGURATION_NAME)'],
    }],
  }],
}
