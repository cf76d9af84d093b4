using System.CommandLine;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Specs;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr runbook …</c>: what the page of runbooks does.</summary>
static class RunbookCommand
{
    public static Command Make() => new("runbook", "Runbooks: how a site is brought back at another one.")
    {
        List(), Show(), RunbookTextCommands.Draft(), RunbookTextCommands.Check(), Apply(), RunbookTextCommands.Versions(),
        RunbookTextCommands.Remove(), FailbackCommand.Make(), Rehearse(), Execute(), RunbookTextCommands.Executions(), Status(), Act(),
        RunbookSecretsCommand.Make(),
        BundleCommand.Make(), BundleCommand.Run(), BundleCommand.Answer(), BundleCommand.Step(), BundleCommand.Merge(),
    };

    static Option<bool> Json() => new("--json") { Description = "Print JSON." };

    static Argument<string> Name() => new("RUNBOOK") { Description = "Name or id of a runbook." };

    static Argument<string> Execution() => new("EXECUTION") { Description = "Id of an execution." };

    internal static Runbook Find(IReadOnlyList<Runbook> all, string name) => all.FirstOrDefault(one => one.Id.ToString() == name)
        ?? all.FirstOrDefault(one => string.Equals(one.Name, name, StringComparison.OrdinalIgnoreCase))
        ?? throw new BadInputException("runbook", $"There is no runbook '{name}'.", "'backupdr runbook list' names them.");

    static Command List()
    {
        var (json, node) = (Json(), new NodeArguments());
        var command = node.On(new Command("list", "List runbooks, and whether each can be relied on.") { json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var output = new Output(given.GetValue(json), quiet: false);
            foreach (var one in await api.Runbooks(ct))
            {
                output.Line($"{one.Name}  version {one.Version}  {Output.Count(one.Spec.Steps.Count, "step")}  {Words(one.State)}");
                foreach (var open in one.Open) output.Line($"    {open.Id}  {Decision.Words(open.Mode)}, {Decision.Words(open.Phase)}");
                output.Json(writer => System.Text.Json.JsonSerializer.Serialize(writer, one, WireJson.Default.Runbook));
            }
            return ExitCodes.Done;
        });
        return command;
    }

    static string Words(RunbookState state) => state switch
    {
        RunbookState.Ready => "ready",
        RunbookState.NeedsRehearsal => "needs rehearsal",
        RunbookState.Problem => "has a problem",
        _ => "not evaluated",
    };

    static Command Show()
    {
        var (name, node) = (Name(), new NodeArguments());
        var command = node.On(new Command("show", "Print a runbook as a document.") { name });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var runbook = Find(await api.Runbooks(ct), given.GetValue(name)!);
            Console.Out.Write((await api.RunbookDocument(runbook.Id, ct)).Yaml);
            return ExitCodes.Done;
        });
        return command;
    }

    static Command Apply()
    {
        var files = new Option<string[]>("--file", "-f")
        {
            Description = "A file with documents, a folder of such files (also below it), or - for standard input. May be repeated.",
            Required = true,
        };
        var dry = new Option<bool>("--dry-run")
        {
            Description = "Say what would change and change nothing. Exit code 22 if something would.",
        };
        var (json, node) = (Json(), new NodeArguments());
        var command = node.On(new Command("apply", "Make runbooks be as documents say, all of them or none.") { files, dry, json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var output = new Output(given.GetValue(json), quiet: false);
            var applied = await api.ApplyRunbooks(new ApplyRunbooksRequest
            {
                Files = [.. given.GetValue(files)!.SelectMany(ApplyCommand.Read)],
                DryRun = given.GetValue(dry),
            }, ct);
            foreach (var one in applied.Runbooks) ApplyCommand.Tell(output, one, applied.IsDryRun);
            output.Json(writer => System.Text.Json.JsonSerializer.Serialize(writer, applied, WireJson.Default.RunbooksApplied));
            return applied.IsDryRun && applied.Runbooks.Any(one => one.Change != DocumentChange.None) ? ExitCodes.WouldChange
                : ExitCodes.Done;
        });
        return command;
    }

    static Command Rehearse()
    {
        var (name, json, node) = (Name(), Json(), new NodeArguments());
        var why = new Option<string>("--why") { Description = "Why, for the evidence.", DefaultValueFactory = _ => "" };
        var command = node.On(new Command("rehearse", "Execute a runbook in isolation, and clean up.") { name, why, json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var runbook = Find(await api.Runbooks(ct), given.GetValue(name)!);
            return Tell(given.GetValue(json), await api.Rehearse(new RehearseRunbookRequest(runbook.Id, given.GetValue(why)!), ct));
        });
        return command;
    }

    static Command Execute()
    {
        var (name, json, node) = (Name(), Json(), new NodeArguments());
        var mode = new Option<ExecutionMode>("--mode") { Description = "Planned, Disaster or Failback.", Required = true };
        var why = new Option<string>("--why") { Description = "Why, for the evidence.", Required = true };
        var confirm = new Option<string>("--confirm")
        {
            Description = "The runbook's name once more: what is executed is not a rehearsal.",
            Required = true,
        };
        var command = node.On(new Command("execute", "Execute a runbook in earnest.") { name, mode, why, confirm, json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var runbook = Find(await api.Runbooks(ct), given.GetValue(name)!);
            if (given.GetValue(confirm) != runbook.Name)
                throw new BadInputException("confirm", $"'{given.GetValue(confirm)}' is not its name.",
                    $"Write --confirm '{runbook.Name}'.");
            return Tell(given.GetValue(json), await api.Execute(new StartExecutionRequest(runbook.Id, given.GetValue(mode),
                given.GetValue(why)!, runbook.Version), ct));
        });
        return command;
    }

    static int Tell(bool isJson, ExecutionStarted begun)
    {
        var output = new Output(isJson, quiet: false);
        output.Line($"{begun.Id} began.{(begun.Warning is null ? "" : $" {begun.Warning}")}");
        output.Json(writer => System.Text.Json.JsonSerializer.Serialize(writer, begun, WireJson.Default.ExecutionStarted));
        return ExitCodes.Done;
    }

    static Command Status()
    {
        var (id, json, node) = (Execution(), Json(), new NodeArguments());
        var command = node.On(new Command("status", "Where an execution is, step by step.") { id, json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            return Tell(given.GetValue(json), await api.Execution(ExecutionId.Parse(given.GetValue(id)!), ct));
        });
        return command;
    }

    static Command Act()
    {
        var (id, json, node) = (Execution(), Json(), new NodeArguments());
        var action = new Argument<ExecutionAction>("ACTION")
        {
            Description = "Pause, Resume, Retry, Skip, ByHand, RollBack, Stop or Commit.",
        };
        var step = new Option<string?>("--step") { Description = "The step, for Retry, Skip and ByHand." };
        var text = new Option<string?>("--text") { Description = "Why, or what was seen." };
        var command = node.On(new Command("act", "Pause, stop or steer an execution.") { id, action, step, text, json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            return Tell(given.GetValue(json), await api.Act(new ActOnExecutionRequest(ExecutionId.Parse(given.GetValue(id)!),
                given.GetValue(action), given.GetValue(step), given.GetValue(text)), ct));
        });
        return command;
    }

    static int Tell(bool isJson, ExecutionView view)
    {
        var output = new Output(isJson, quiet: false);
        output.Line($"{view.Summary.RunbookName}, version {view.Summary.Version}: {Decision.Words(view.Summary.Mode)}, "
            + $"{Decision.Words(view.State.Phase)}{(view.State.Outcome is { } outcome ? $", {outcome}" : "")}");
        if (view.State.Reason is { } reason) output.Line($"    {reason}");
        foreach (var step in view.State.Steps)
            output.Line($"{step.Name}  {step.Phase}{(step.Reason is null ? "" : $": {step.Reason}")}"
                + $"{(step.IsOpen ? "  waits for a choice" : "")}");
        output.Json(writer => System.Text.Json.JsonSerializer.Serialize(writer, view, WireJson.Default.ExecutionView));
        return ExitCodes.Done;
    }
}
