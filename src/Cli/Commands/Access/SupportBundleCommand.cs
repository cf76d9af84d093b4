using System.CommandLine;
using System.Globalization;

namespace BackupDr.Cli.Commands.Access;

/// <summary><c>backupdr support-bundle</c>.</summary>
static class SupportBundleCommand
{
    public static Command Make()
    {
        var (node, json) = (new NodeArguments(), new Option<bool>("--json") { Description = "Print JSON." });
        var file = new Option<string?>("--file") { Description = "Where it is written; else a name with the time, in this folder." };
        var command = node.On(new Command("support-bundle", "Write what somebody who helps needs to see of an installation into a ZIP "
            + "archive, without secrets.") { file, json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var path = Path.GetFullPath(given.GetValue(file) ?? string.Create(CultureInfo.InvariantCulture,
                $"backupdr-support-{TimeProvider.System.GetUtcNow():yyyyMMdd-HHmmss}.zip"));
            await PrivateExport.Write(path, "The bundle", into => api.WriteSupportBundle(into, ct));
            var output = new Output(given.GetValue(json), quiet: false);
            output.Line($"{path} is written. Look through it before it leaves the house: it names hosts, folders and policies.");
            output.Json(writer =>
            {
                writer.WriteStartObject();
                writer.WriteString("message_type", "support_bundle");
                writer.WriteString("file", path);
                writer.WriteEndObject();
            });
            return ExitCodes.Done;
        });
        return command;
    }
}
