/* SPDX-License-Identifier: BSD-2-Clause */
#include "dump.h"

#include <inttypes.h>

#include "device_view.h"

/* --- text --- */

static void print_bar(FILE *out, const struct device_view *view, size_t i, const char *content)
{
    (void)fprintf(out, "  BAR%zu        0x%08" PRIx32 ", 0x%" PRIx64 " bytes: %s\n", i, view->bars[i].address,
                  view->bars[i].size, content);
}

static const char *rights_text(uint32_t rights)
{
    return rights & CROSSVM_RIGHT_WRITE ? "read and write" : "read only";
}

static void print_bars(FILE *out, const struct device_view *view)
{
    char content[96];

    (void)snprintf(content, sizeof(content), "registers%s%s",
                   view->features & CROSSVM_FEATURE_PEER_PAGE ? ", peer page" : "",
                   view->features & CROSSVM_FEATURE_OWN_PAGE ? ", own page" : "");
    print_bar(out, view, CROSSVM_BAR_EVENT, content);
    for (size_t i = 0; i < view->num_dataports; i++) {
        const char *rights = rights_text(view->dataports[i].rights);

        if (view->extended)
            (void)snprintf(content, sizeof(content), "dataport %zu, 0x%" PRIx64 " bytes, %s", i,
                           view->dataports[i].size, rights);
        else
            (void)snprintf(content, sizeof(content), "dataport %zu, %s", i, rights);
        print_bar(out, view, CROSSVM_BAR_DATAPORT + i, content);
    }
}

static void print_device(FILE *out, const char *vm, const struct device_view *view)
{
    (void)fprintf(out, "%s: connection %s\n", vm, view->name);
    (void)fprintf(out, "  peer        %s\n", view->peer_is_vm ? "another VM" : "a host program");
    (void)fprintf(out, "  PCI         0000:%02x:%02x.%x, %04" PRIx32 ":%04" PRIx32 ", class %06" PRIx32 "\n",
                  view->pci.bus, view->pci.dev, view->pci.fun, view->vendor, view->device, view->class);
    (void)fprintf(out, "  interrupt   %sINT%c, input %" PRIu32 "%s\n", view->msi ? "MSI, or " : "", view->pin,
                  view->irq, view->irq_shared ? " (shared)" : "");
    print_bars(out, view);
    if (view->extended)
        (void)fprintf(out,
                      "  FULL_NAME   %s\n  VERSION     %" PRIu32 ".%" PRIu32 "\n  END         %" PRIu32
                      "\n  FEATURES    0x%" PRIx32 "\n  DATAPORTS   %zu\n",
                      view->name, view->version >> 16, view->version & 0xffff, view->end, view->features,
                      view->num_dataports);
    else
        (void)fprintf(out, "  NAME        %s\n  COUNT       %" PRIu32 "\n  no extended block\n", view->name,
                      view->count);
}

void dump_devices(FILE *out, const struct machine *machine)
{
    struct device_view view;

    for (size_t i = 0; i < machine->num_connections; i++) {
        device_view_read(&view, machine, &machine->wirings[i]);
        print_device(out, machine->vm.vm_name, &view);
    }
    if (machine->num_connections == 0)
        (void)fprintf(out, "%s: no connections\n", machine->vm.vm_name);
}

/* --- JSON --- */

static void print_json_string(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (; *text; text++) {
        if ((unsigned char)*text < ' ')
            (void)fprintf(out, "\\u%04x", (unsigned int)*text);
        else
            (void)fprintf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    }
    (void)fputc('"', out);
}

static void print_json_dataports(FILE *out, const struct device_view *view)
{
    for (size_t i = 0; i < view->num_dataports; i++) {
        (void)fprintf(out, "%s{\"bar\": %zu, \"size\": ", i ? ", " : "", CROSSVM_BAR_DATAPORT + i);
        if (view->extended)
            (void)fprintf(out, "%" PRIu64, view->dataports[i].size);
        else
            (void)fprintf(out, "null");
        (void)fprintf(out, ", \"rights\": \"%s\"}", view->dataports[i].rights & CROSSVM_RIGHT_WRITE ? "rw" : "r");
    }
}

static void print_json_device(FILE *out, const struct device_view *view)
{
    (void)fprintf(out, "{\"name\": ");
    print_json_string(out, view->name);
    (void)fprintf(out,
                  ", \"peer\": \"%s\", \"location\": \"0000:%02x:%02x.%x\", \"vendor\": \"%04" PRIx32
                  "\", \"device\": \"%04" PRIx32 "\", \"class\": \"%06" PRIx32 "\",\n    ",
                  view->peer_is_vm ? "vm" : "host", view->pci.bus, view->pci.dev, view->pci.fun, view->vendor,
                  view->device, view->class);
    (void)fprintf(out, "\"msi\": %s, \"pin\": \"%c\", \"irq\": %" PRIu32 ", \"irq_shared\": %s,\n    ",
                  view->msi ? "true" : "false", view->pin, view->irq, view->irq_shared ? "true" : "false");
    if (view->extended)
        (void)fprintf(out, "\"version\": \"%" PRIu32 ".%" PRIu32 "\", \"end\": %" PRIu32 ", \"features\": %" PRIu32,
                      view->version >> 16, view->version & 0xffff, view->end, view->features);
    else
        (void)fprintf(out, "\"version\": null, \"end\": null, \"features\": null");
    (void)fprintf(out, ",\n    \"bars\": [");
    for (size_t i = 0; i < CROSSVM_BAR_DATAPORT + view->num_dataports; i++)
        (void)fprintf(out, "%s{\"address\": %" PRIu32 ", \"size\": %" PRIu64 "}", i ? ", " : "", view->bars[i].address,
                      view->bars[i].size);
    (void)fprintf(out, "],\n    \"dataports\": [");
    print_json_dataports(out, view);
    (void)fprintf(out, "]}");
}

void dump_devices_json(FILE *out, const struct machine *machine)
{
    struct device_view view;

    (void)fprintf(out, "{\"vm\": ");
    print_json_string(out, machine->vm.vm_name);
    (void)fprintf(out, ", \"devices\": [");
    for (size_t i = 0; i < machine->num_connections; i++) {
        device_view_read(&view, machine, &machine->wirings[i]);
        (void)fprintf(out, "%s\n  ", i ? "," : "");
        print_json_device(out, &view);
    }
    (void)fprintf(out, "]}\n");
}
