using System.CommandLine;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr runbook draft|check|versions|executions|remove</c>.</summary>
static class RunbookTextCommands
{
    static Option<bool> Json() => new("--json") { Description = "Print JSON." };

    static Argument<string> Runbook() => new("RUNBOOK") { Description = "Name or id of a runbook." };

    public static Command Draft()
    {
        var item = new Argument<string>("ITEM") { Description = "Name or id of an item." };
        var node = new NodeArguments();
        var command = node.On(new Command("draft", "Print the beginning of a runbook that brings an item back. What only its owner knows "
            + "stands in it as a blank.") { item });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var wanted = given.GetValue(item)!;
            if (!TypedId.TryParse<ItemId>(wanted, out var id)) id = await Find(api, wanted, ct);
            Console.Out.Write((await api.DraftRunbook(id, ct)).Yaml);
            return ExitCodes.Done;
        });
        return command;
    }

    static async Task<ItemId> Find(ApiClient api, string name, CancellationToken ct)
    {
        var found = (await api.Policies(ct)).SelectMany(policy => policy.Items)
            .Where(one => string.Equals(one.Name, name, StringComparison.OrdinalIgnoreCase)).ToList();
        return found switch
        {
            [var only] => only.Id,
            [] => throw new BadInputException("item", $"There is no item '{name}'.",
                "'backupdr policy show NAME' names those of a policy."),
            _ => throw new BadInputException("item", $"{found.Count} items are named '{name}'.",
                $"Give the id: {string.Join(", ", found.Take(5).Select(one => one.Id))}."),
        };
    }

    public static Command Check()
    {
        var file = new Option<string>("--file", "-f")
        {
            Description = "A file with one runbook, or - for standard input.",
            Required = true,
        };
        var (json, node) = (Json(), new NodeArguments());
        var command = node.On(new Command("check", "Say what is wrong with a runbook as it is written, and change nothing.")
        { file, json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            if (ApplyCommand.Read(given.GetValue(file)!).ToList() is not [var document])
                throw new BadInputException("file", "It is a folder.", "Name one file; a folder is looked at by apply --dry-run.");
            var found = await api.CheckRunbook(new CheckRunbookRequest(document.Text), ct);
            var output = new Output(given.GetValue(json), quiet: false);
            foreach (var fault in found.Faults)
                output.Line($"{document.Name}:{fault.Line}:{fault.Column}: {fault.Problem} {fault.Advice}".TrimEnd());
            output.Json(writer => System.Text.Json.JsonSerializer.Serialize(writer, found, WireJson.Default.RunbookCheck));
            if (found.Faults.Count > 0) return ExitCodes.Failed;
            output.Line("Nothing is wrong with it. What it names outside is looked at when it is applied.");
            return ExitCodes.Done;
        });
        return command;
    }

    public static Command Versions()
    {
        var (name, json, node) = (Runbook(), Json(), new NodeArguments());
        var command = node.On(new Command("versions", "List the versions of a runbook, and what each changed.") { name, json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var runbook = RunbookCommand.Find(await api.Runbooks(ct), given.GetValue(name)!);
            var versions = await api.RunbookVersions(runbook.Id, ct);
            var output = new Output(given.GetValue(json), quiet: false);
            foreach (var one in versions)
            {
                output.Line($"version {one.Version}  {one.At.UtcDateTime:yyyy-MM-dd HH:mm}  {one.By}");
                foreach (var change in one.Changes ?? []) output.Line($"    {ApplyCommand.Words(change)}");
            }
            output.Json(writer => System.Text.Json.JsonSerializer.Serialize(writer, versions,
                WireJson.Default.IReadOnlyListRunbookVersion));
            return ExitCodes.Done;
        });
        return command;
    }

    public static Command Executions()
    {
        var open = new Option<bool>("--open") { Description = "Only those that are not over." };
        var (json, node) = (Json(), new NodeArguments());
        var command = node.On(new Command("executions", "List executions, the newest first.") { open, json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var found = await api.Executions(new ListExecutionsRequest(Open: given.GetValue(open)), ct);
            var output = new Output(given.GetValue(json), quiet: false);
            foreach (var one in found)
                output.Line($"{one.Id}  {one.StartedAt.UtcDateTime:yyyy-MM-dd HH:mm}  {one.RunbookName}, version {one.Version}  "
                    + $"{Decision.Words(one.Mode)}  {(one.Phase == ExecutionPhase.Ended ? $"{one.Outcome}" : Decision.Words(one.Phase))}"
                    + $"{(one.Parent is { } above ? $"  part of {above}" : "")}");
            output.Json(writer => System.Text.Json.JsonSerializer.Serialize(writer, found,
                WireJson.Default.IReadOnlyListExecutionSummary));
            return ExitCodes.Done;
        });
        return command;
    }

    public static Command Remove()
    {
        var (name, node) = (Runbook(), new NodeArguments());
        var confirm = new Option<string>("--confirm") { Description = "The runbook's name once more.", Required = true };
        var command = node.On(new Command("remove", "Remove a runbook. Its executions and their evidence stay.") { name, confirm });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var runbook = RunbookCommand.Find(await api.Runbooks(ct), given.GetValue(name)!);
            if (given.GetValue(confirm) != runbook.Name)
                throw new BadInputException("confirm", $"'{given.GetValue(confirm)}' is not its name.",
                    $"Write --confirm '{runbook.Name}'.");
            await api.RemoveRunbook(runbook.Id, ct);
            new Output(json: false, quiet: false).Line($"'{runbook.Name}' is removed. Its executions stay.");
            return ExitCodes.Done;
        });
        return command;
    }
}
