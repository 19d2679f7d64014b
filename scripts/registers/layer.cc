// A Vulkan layer for drivers that compile without a card (Mesa's radv with RADV_FORCE_FAMILY): it writes what the compiler says of
// each compute pipeline, registers and spills among it, and lets nothing be recorded or submitted, for which such a driver
// has no functions. One device a process. The file of statistics is named by LFM_REGISTERS, a line of JSON a pipeline.

#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace {

PFN_vkGetInstanceProcAddr instance_next = nullptr;
PFN_vkGetDeviceProcAddr device_next = nullptr;
VkInstance the_instance = VK_NULL_HANDLE;

template <typename Function>
Function of_device(VkDevice device, const char* name) {
  return reinterpret_cast<Function>(device_next(device, name));
}

template <typename Info>
Info* link_of(const void* next, VkStructureType type) {
  for (auto* one = static_cast<const VkBaseInStructure*>(next); one; one = one->pNext) {
    if (one->sType != type) continue;
    auto* info = reinterpret_cast<Info*>(const_cast<VkBaseInStructure*>(one));
    if (info->function == VK_LAYER_LINK_INFO) return info;
  }
  return nullptr;
}

VkResult nothing() { return VK_SUCCESS; }

VkResult counter(VkDevice, VkSemaphore, uint64_t* value) {
  *value = UINT64_MAX;
  return VK_SUCCESS;
}

// ---- memory: one heap of one type, of the process's own

constexpr VkDeviceSize HEAP = VkDeviceSize{1} << 40;

void memory_properties(VkPhysicalDevice, VkPhysicalDeviceMemoryProperties* out) {
  *out = {};
  out->memoryTypeCount = out->memoryHeapCount = 1;
  out->memoryTypes[0].propertyFlags = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                      VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
  out->memoryHeaps[0] = {HEAP, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT};
}

void memory_properties_2(VkPhysicalDevice device, VkPhysicalDeviceMemoryProperties2* out) {
  memory_properties(device, &out->memoryProperties);
}

VkResult allocate(VkDevice, const VkMemoryAllocateInfo* info, const VkAllocationCallbacks*, VkDeviceMemory* memory) {
  *memory = reinterpret_cast<VkDeviceMemory>(std::calloc(info->allocationSize, 1));
  return *memory ? VK_SUCCESS : VK_ERROR_OUT_OF_DEVICE_MEMORY;
}

void release(VkDevice, VkDeviceMemory memory, const VkAllocationCallbacks*) { std::free(reinterpret_cast<void*>(memory)); }

VkResult map(VkDevice, VkDeviceMemory memory, VkDeviceSize offset, VkDeviceSize, VkMemoryMapFlags, void** data) {
  *data = reinterpret_cast<char*>(memory) + offset;
  return VK_SUCCESS;
}

void requirements(VkDevice device, VkBuffer buffer, VkMemoryRequirements* out) {
  of_device<PFN_vkGetBufferMemoryRequirements>(device, "vkGetBufferMemoryRequirements")(device, buffer, out);
  out->memoryTypeBits = 1;
}

void requirements_2(VkDevice device, const VkBufferMemoryRequirementsInfo2* info, VkMemoryRequirements2* out) {
  of_device<PFN_vkGetBufferMemoryRequirements2>(device, "vkGetBufferMemoryRequirements2")(device, info, out);
  out->memoryRequirements.memoryTypeBits = 1;
}

// ---- statistics

std::string number(const VkPipelineExecutableStatisticKHR& one) {
  char text[64];
  switch (one.format) {
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR: return one.value.b32 ? "true" : "false";
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR: std::snprintf(text, sizeof text, "%" PRId64, one.value.i64); break;
    case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR: std::snprintf(text, sizeof text, "%" PRIu64, one.value.u64); break;
    default: std::snprintf(text, sizeof text, "%g", one.value.f64);
  }
  return text;
}

void write_statistics(VkDevice device, VkPipeline pipeline) {
  const auto count_of = of_device<PFN_vkGetPipelineExecutablePropertiesKHR>(device, "vkGetPipelineExecutablePropertiesKHR");
  const auto statistics = of_device<PFN_vkGetPipelineExecutableStatisticsKHR>(device, "vkGetPipelineExecutableStatisticsKHR");
  const char* path = std::getenv("LFM_REGISTERS");
  FILE* file = path && count_of && statistics ? std::fopen(path, "a") : nullptr;
  if (!file) return;
  VkPipelineExecutableInfoKHR info{VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, nullptr, pipeline, 0};
  uint32_t count = 0;
  statistics(device, &info, &count, nullptr);
  std::vector<VkPipelineExecutableStatisticKHR> all(count, {VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR});
  statistics(device, &info, &count, all.data());
  std::string line = "{";
  for (const auto& one : all) line += (line.size() > 1 ? ",\"" : "\"") + std::string(one.name) + "\":" + number(one);
  std::fprintf(file, "%s}\n", line.c_str());
  std::fclose(file);
}

VkResult create_compute_pipelines(VkDevice device, VkPipelineCache cache, uint32_t count, const VkComputePipelineCreateInfo* infos,
                                  const VkAllocationCallbacks* allocator, VkPipeline* pipelines) {
  std::vector<VkComputePipelineCreateInfo> asked(infos, infos + count);
  for (auto& one : asked) one.flags |= VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR;
  const auto next = of_device<PFN_vkCreateComputePipelines>(device, "vkCreateComputePipelines");
  const VkResult result = next(device, cache, count, asked.data(), allocator, pipelines);
  if (result == VK_SUCCESS) {
    for (uint32_t i = 0; i < count; i++) write_statistics(device, pipelines[i]);
  }
  return result;
}

template <typename Function>
PFN_vkVoidFunction any(Function* function) {
  return reinterpret_cast<PFN_vkVoidFunction>(function);
}

PFN_vkVoidFunction get_device(VkDevice device, const char* name);

/// What this layer answers itself; null for everything that goes on to the driver.
PFN_vkVoidFunction own(const char* name) {
  static const std::unordered_map<std::string_view, PFN_vkVoidFunction> table = {
      {"vkAllocateMemory", any(allocate)},
      {"vkBeginCommandBuffer", any(nothing)},
      {"vkBindBufferMemory", any(nothing)},
      {"vkBindBufferMemory2", any(nothing)},
      {"vkCreateComputePipelines", any(create_compute_pipelines)},
      {"vkDeviceWaitIdle", any(nothing)},
      {"vkEndCommandBuffer", any(nothing)},
      {"vkFlushMappedMemoryRanges", any(nothing)},
      {"vkFreeMemory", any(release)},
      {"vkGetBufferMemoryRequirements", any(requirements)},
      {"vkGetBufferMemoryRequirements2", any(requirements_2)},
      {"vkGetDeviceProcAddr", any(get_device)},
      {"vkGetFenceStatus", any(nothing)},
      {"vkGetPhysicalDeviceMemoryProperties", any(memory_properties)},
      {"vkGetPhysicalDeviceMemoryProperties2", any(memory_properties_2)},
      {"vkGetQueryPoolResults", any(nothing)},
      {"vkGetSemaphoreCounterValue", any(counter)},
      {"vkInvalidateMappedMemoryRanges", any(nothing)},
      {"vkMapMemory", any(map)},
      {"vkQueueSubmit", any(nothing)},
      {"vkQueueSubmit2", any(nothing)},
      {"vkQueueWaitIdle", any(nothing)},
      {"vkResetCommandBuffer", any(nothing)},
      {"vkResetCommandPool", any(nothing)},
      {"vkUnmapMemory", any(nothing)},
      {"vkUpdateDescriptorSets", any(nothing)},
      {"vkWaitForFences", any(nothing)},
      {"vkWaitSemaphores", any(nothing)},
  };
  std::string_view plain = name;
  if (plain.ends_with("KHR")) plain.remove_suffix(3);
  const auto found = table.find(plain);
  return found != table.end() ? found->second : plain.starts_with("vkCmd") ? any(nothing) : nullptr;
}

PFN_vkVoidFunction get_device(VkDevice device, const char* name) {
  const auto answered = own(name);
  return answered ? answered : device_next(device, name);
}

VkResult create_device(VkPhysicalDevice physical, const VkDeviceCreateInfo* info, const VkAllocationCallbacks* allocator,
                       VkDevice* device) {
  auto* link = link_of<VkLayerDeviceCreateInfo>(info->pNext, VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO);
  if (!link) return VK_ERROR_INITIALIZATION_FAILED;
  device_next = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
  const auto next = reinterpret_cast<PFN_vkCreateDevice>(
      link->u.pLayerInfo->pfnNextGetInstanceProcAddr(the_instance, "vkCreateDevice"));
  link->u.pLayerInfo = link->u.pLayerInfo->pNext;
  std::vector<const char*> extensions(info->ppEnabledExtensionNames, info->ppEnabledExtensionNames + info->enabledExtensionCount);
  extensions.push_back(VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME);
  VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR feature{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR, const_cast<void*>(info->pNext), VK_TRUE};
  VkDeviceCreateInfo asked = *info;
  asked.pNext = &feature;
  asked.enabledExtensionCount = static_cast<uint32_t>(extensions.size());
  asked.ppEnabledExtensionNames = extensions.data();
  return next(physical, &asked, allocator, device);
}

VkResult create_instance(const VkInstanceCreateInfo* info, const VkAllocationCallbacks* allocator, VkInstance* instance) {
  auto* link = link_of<VkLayerInstanceCreateInfo>(info->pNext, VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO);
  if (!link) return VK_ERROR_INITIALIZATION_FAILED;
  instance_next = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
  link->u.pLayerInfo = link->u.pLayerInfo->pNext;
  const auto next = reinterpret_cast<PFN_vkCreateInstance>(instance_next(VK_NULL_HANDLE, "vkCreateInstance"));
  const VkResult result = next(info, allocator, instance);
  the_instance = *instance;
  return result;
}

}  // namespace

extern "C" VKAPI_ATTR PFN_vkVoidFunction vkGetInstanceProcAddr(VkInstance instance, const char* name) {
  const std::string_view asked = name;
  if (asked == "vkGetInstanceProcAddr") return any(vkGetInstanceProcAddr);
  if (asked == "vkCreateInstance") return any(create_instance);
  if (asked == "vkCreateDevice") return any(create_device);
  if (asked.starts_with("vkGetPhysicalDeviceMemoryProperties") || asked == "vkGetDeviceProcAddr") return own(name);
  return instance_next ? instance_next(instance, name) : nullptr;
}

extern "C" VKAPI_ATTR PFN_vkVoidFunction vkGetDeviceProcAddr(VkDevice device, const char* name) {
  return get_device(device, name);
}
