using System.CommandLine;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;

namespace BackupDr.Cli.Commands.Access;

/// <summary><c>backupdr approval list|show|refuse</c>. Approving takes a person, who signs in to the console.</summary>
static class ApprovalCommand
{
    public static Command Make() => new("approval", "What waits for a second person. A person approves in the console.")
    {
        List(), Refuse(),
    };

    static Command List()
    {
        var (node, json) = (new NodeArguments(), new Option<bool>("--json") { Description = "Print JSON." });
        var over = new Option<bool>("--over") { Description = "Those that do not wait any more." };
        var command = node.On(new Command("list", "List the requests, with the exact command of each.") { over, json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var found = await api.Approvals(given.GetValue(over), ct);
            var output = new Output(given.GetValue(json), quiet: false);
            foreach (var one in found)
            {
                output.Line($"{one.Id}  {one.State}  asked for by {one.RequestedBy}, until "
                    + $"{one.ExpiresAt.UtcDateTime:yyyy-MM-dd HH:mm} UTC");
                output.Line($"  {one.Effect}");
                output.Line($"  {one.Action} {one.Command}");
                if (one.DecidedBy is { } who) output.Line($"  decided by {who}{(one.Note is { } note ? $": {note}" : "")}");
            }
            output.Json(writer => JsonSerializer.Serialize(writer, found, WireJson.Default.IReadOnlyListApproval));
            return ExitCodes.Done;
        });
        return command;
    }

    static Command Refuse()
    {
        var node = new NodeArguments();
        var id = new Argument<string>("ID") { Description = "The request." };
        var note = new Option<string?>("--note") { Description = "Why." };
        var command = node.On(new Command("refuse", "Take back a request of one's own.") { id, note });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var over = await api.Refuse(new RefuseRequest(given.GetValue(note), ApprovalId.Parse(given.GetValue(id)!)), ct);
            new Output(json: false, quiet: false).Line($"{over.Id} is refused.");
            return ExitCodes.Done;
        });
        return command;
    }
}
