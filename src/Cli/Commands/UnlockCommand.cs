using System.CommandLine;
using BackupDr.Engine.Locks;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr unlock</c>.</summary>
static class UnlockCommand
{
    public static Command Make()
    {
        var command = new Command("unlock", "Remove the locks of processes that are gone.");
        var all = new Option<bool>("--remove-all") { Description = "Remove all locks, also of those that may be at work." };
        command.Options.Add(all);
        var arguments = new RepositoryArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var output = arguments.Output(given);
            using var repository = await arguments.Open(given, ct);
            var removed = await RepositoryLock.RemoveStale(repository, IsRunning, given.GetValue(all), ct);
            output.Line($"Removed {Output.Count(removed, "lock")}.");
            output.Json(json =>
            {
                json.WriteStartObject();
                json.WriteString("message_type", "unlocked");
                json.WriteNumber("removed", removed);
                json.WriteEndObject();
            });
            return ExitCodes.Done;
        });
        return command;
    }

    static bool IsRunning(int pid) => Directory.Exists($"/proc/{pid}");
}
