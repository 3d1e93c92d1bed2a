/* SPDX-License-Identifier: Apache-2.0 */
/* The commands there are: names, arguments, help. Data only. */
#include "cli.h"

static const struct command commands[] = {
    {.name = "load",
     .args = "ID...",
     .summary = "fetch models as needed, verify them, open a session, show where the time went",
     .text =
         "Loads each model as a server would: from the cache when it is there and whole, else\n"
         "from the first source that has it; then creates an ONNX Runtime session. At the end\n"
         "a waterfall of the load's spans shows where the time went. Several models are fetched\n"
         "and opened side by side. Before it ends, the optimised graphs of new models are saved\n"
         "for later loads (graph_cache).\n",
     .min_args = 1,
     .max_args = COMMAND_ANY_ARGS,
     .waterfall = true,
     .repeats = true,
     .run = cmd_load},
    {.name = "pull",
     .args = "ID... | PLACE DIRECTORY",
     .summary = "bring models into the cache, or files of a place into a directory",
     .text =
         "Fetches the models that are not in the cache yet and verifies the others. Needs no\n"
         "ONNX Runtime: for image builds, init containers and machines without a network later.\n\n"
         "A PLACE is s3://BUCKET/PREFIX, s3://BUCKET/KEY or dir:PATH: all files there are copied,\n"
         "several at once, whole and verified, but those that are there unchanged: the same size, "
         "the\n"
         "same time of modification. An interrupted copy is gone on with. The cache is not used.\n"
         "--include and --exclude choose as those of the AWS CLI: of the ones whose pattern "
         "matches a\n"
         "file's name the last one given decides, and what none matches is copied. In patterns * "
         "is\n"
         "any text, / too, ? a character, [a-z] one of a set, [!a-z] one not of it.\n",
     .min_args = 1,
     .max_args = COMMAND_ANY_ARGS,
     .waterfall = true,
     .copies = true,
     .run = cmd_pull},
    {.name = "bench",
     .args = "ID",
     .summary = "compare cold, warm and cached-graph loads of a model",
     .text =
         "Loads the model again and again, each time in a process of its own: from its source\n"
         "into an empty cache, from the cache, and from the cache with its saved graph, in turn.\n"
         "Shows the medians, and what each takes of memory. The cache stays as it is, but for the\n"
         "model and its graph, which are in it afterwards.\n",
     .min_args = 1,
     .max_args = 1,
     .repeats = true,
     .plots = true,
     .run = cmd_bench},
    {.name = "ls",
     .args = "",
     .summary = "list the models in the cache",
     .text = "Lists what is in the cache without reading the files; 'hoist verify' reads them.\n",
     .run = cmd_ls},
    {.name = "models",
     .args = "[SOURCE]",
     .summary = "list the models that the sources offer",
     .text =
         "Asks each source in its order, or the one named: s3, s3://BUCKET/PREFIX, dir:PATH. The\n"
         "Roboflow API has no list. Says which models are in the cache already.\n",
     .max_args = 1,
     .run = cmd_models},
    {.name = "kserve",
     .args = "SRC_URI [DEST_PATH [SRC_URI DEST_PATH]...]",
     .summary = "be KServe's storage initializer: bring what storage URIs name into directories",
     .text = "Takes the arguments and the environment that KServe gives its storage initializer:\n"
             "s3:// and file:// URIs or paths, each with its directory (alone: /mnt/models); "
             "STORAGE_CONFIG,\n"
             "AWS_* and S3_* variables, STORAGE_ALLOW_PATTERNS, STORAGE_IGNORE_PATTERNS. A single "
             "archive\n"
             "(.tar, .tar.gz, .tgz, .zip) is unpacked. See docs/kserve.md.\n",
     .min_args = 1,
     .max_args = COMMAND_ANY_ARGS,
     .waterfall = true,
     .run = cmd_kserve},
    {.name = "info",
     .args = "ID",
     .summary = "describe a model in the cache: task, classes, files, inputs and outputs",
     .text = "Verifies the model and describes it. Inputs and outputs are known where an ONNX\n"
             "Runtime is installed. With --why the model need not be in the cache: the sources\n"
             "are asked what they have of it, and what was weighed is shown.\n",
     .min_args = 1,
     .max_args = 1,
     .explains = true,
     .run = cmd_info},
    {.name = "verify",
     .args = "[ID...]",
     .summary = "read models in the cache and check every file against its SHA-256",
     .text = "Without an ID, verifies every model in the cache.\n",
     .max_args = COMMAND_ANY_ARGS,
     .run = cmd_verify},
    {.name = "rm",
     .args = "ID...",
     .summary = "remove models from the cache",
     .text = "Waits for downloads of the model that are in progress.\n",
     .min_args = 1,
     .max_args = COMMAND_ANY_ARGS,
     .run = cmd_rm},
    {.name = "gc",
     .args = "",
     .summary = "clean the cache up: least recently used models, leftovers of killed downloads",
     .text =
         "Removes the models that were not used for longest until the rest is within --max-size\n"
         "(or the setting cache_max_bytes), and those not used for --max-age; then what killed\n"
         "downloads left behind. Never waits: models in use or being loaded stay.\n",
     .collects = true,
     .run = cmd_gc},
    {.name = "config",
     .args = "",
     .summary = "show every setting, its value, and where it came from",
     .text =
         "A setting comes from an option, else from the first of its environment variables that\n"
         "is set, else it has its default. Secrets are shown as 'set' only.\n",
     .run = cmd_config},
    {.name = "doctor",
     .args = "",
     .summary = "try out what a load needs: cache, sources, collector, ONNX Runtime",
     .text = "Contacts every configured source and the telemetry collector, opens the cache and\n"
             "ONNX Runtime, and says what to do about what does not work.\n",
     .run = cmd_doctor},
    {.name = "trace",
     .args = "FILE [FILE]",
     .summary = "draw the traces of a file of OTLP-JSON lines or protobuf ('-': standard input)",
     .text =
         "Draws traces that --trace-file, or an OpenTelemetry Collector's file exporter, wrote.\n"
         "A dot marks the critical path: the spans that decided when the trace ended. Of several\n"
         "conditions a span must meet all to be shown; the spans above it are shown with it.\n",
     .min_args = 1,
     .max_args = 2,
     .traces = true,
     .run = cmd_trace},
    {.name = "version",
     .args = "",
     .summary = "show the version of hoist and of the libraries it runs on",
     .text = "",
     .run = cmd_version},
    {.name = "help",
     .args = "[COMMAND]",
     .summary = "show what a command does; 'hoist help settings' lists the settings",
     .text = "",
     .max_args = 1,
     .run = cmd_help},
};

const struct command *cli_commands(size_t *ret_count) {
  *ret_count = sizeof commands / sizeof commands[0];
  return commands;
}
