using System.CommandLine;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Rules.Runbooks.Bundles;
using BackupDr.Sources.Tools;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr runbook bundle|run|answer|step|merge</c>: a runbook where neither console nor database answers.</summary>
static class BundleCommand
{
    static readonly TimeSpan TakenWithin = TimeSpan.FromSeconds(30), LookAgain = TimeSpan.FromMilliseconds(100);

    static Option<string> Bundle() => new("--bundle") { Description = "The bundle.", Required = true };

    static Option<string?> PassphraseFile() => new("--passphrase-file")
    {
        Description = "File that holds the passphrase of the bundle; else BACKUPDR_BUNDLE_PASSPHRASE, else it is asked for.",
    };

    static Option<string?> Text(string name, string description) => new(name) { Description = description };

    public static Command Make()
    {
        var (name, node) = (new Argument<string>("RUNBOOK") { Description = "Name or id of a runbook." }, new NodeArguments());
        var output = new Option<string?>("--output", "-o") { Description = "Where it is written; by default a file named after it here." };
        var passphrase = new Option<string>("--passphrase-file")
        {
            Description = "File that holds a passphrase of at least 12 characters, with which what is secret in it is sealed.",
            Required = true,
        };
        var command = node.On(new Command("bundle", "Save a runbook with all that its execution needs where no console answers.")
        {
            name, output, passphrase,
        });
        command.SetAction(async (given, ct) =>
        {
            using var secret = RepositoryArguments.FromFile(given.GetValue(passphrase)!, passphrase.Name);
            using var api = node.Open(given);
            var runbook = RunbookCommand.Find(await api.Runbooks(ct), given.GetValue(name)!);
            var saved = await api.SaveBundle(new SaveBundleRequest(runbook.Id, secret.Reveal()), ct);
            var file = Path.GetFullPath(given.GetValue(output) ?? saved.FileName);
            await PrivateExport.Write(file, "The bundle",
                into => into.WriteAsync(Encoding.UTF8.GetBytes(saved.Text), ct).AsTask());
            var told = new Output(json: false, quiet: false);
            foreach (var remark in saved.Remarks) told.Line($"Note: {remark}");
            told.Line($"{file}: version {runbook.Version}. Keep it with its passphrase where a lost site does not take them along, and "
                + "make it again when the runbook changed.");
            return ExitCodes.Done;
        });
        return command;
    }

    public static Command Run()
    {
        var bundle = Bundle();
        var mode = Text("--mode", "Disaster (the default), Rehearsal, Check, Planned or Failback.");
        var why = Text("--why", "Why, for the evidence.");
        var by = Text("--by", "Your name, for the evidence; else the account's.");
        var yes = new Option<bool>("--yes") { Description = "Begin without being asked once more." };
        var alone = new Option<bool>("--alone") { Description = "Answer for it that nobody else executes it, where no location can tell." };
        var takeOver = Text("--take-over", "The execution that is given up because its machine is gone for good.");
        var passphrase = PassphraseFile();
        var recovery = Text("--recovery-key-file", "File that holds the recovery key, in the place of a passphrase.");
        var work = Text("--work", "Folder of what is written down; by default beside the bundle, with .run behind its name.");
        var state = Text("--agent-state", "State folder of this machine's agent, where it is not the usual one.");
        var steps = Text("--agent-steps", "Folder of what this machine lets runbooks do, where it is not the usual one.");
        var command = new Command("run", "Execute a runbook from a bundle, without console and database. Given again, it goes on where it "
            + "was. Exit code 21 if the bundle, or what was written down, is not as it was written.")
        {
            bundle, mode, why, by, yes, alone, takeOver, passphrase, recovery, work, state, steps,
        };
        command.SetAction(given =>
        {
            var arguments = new List<string> { "run-bundle" };
            foreach (var option in (Option<string?>[])[bundle!, mode, why, by, takeOver, passphrase, recovery, work, state, steps])
                if (given.GetValue(option) is { } value) arguments.AddRange([option.Name, value]);
            foreach (var option in (Option<bool>[])[yes, alone])
                if (given.GetValue(option)) arguments.Add(option.Name);
            return Sibling.Become("BackupDr.Scheduler", arguments);
        });
        return command;
    }

    public static Command Answer()
    {
        var bundle = Bundle();
        var kind = new Argument<BundleWord>("ANSWER")
        {
            Description = "Retry, Skip, ByHand, Yes, No, Report, Fail, Pause, Resume, RollBack, Stop or Commit.",
        };
        var (step, text) = (Text("--step", "The step."), Text("--text", "Why, what was seen, or the report."));
        var (by, second) = (Text("--by", "Your name; else the account's."), Text("--second", "The second person, where one is needed."));
        var work = Text("--work", "Folder of what is written down, where it is not the usual one.");
        var command = new Command("answer", "Answer what an execution from a bundle waits for, from another terminal of its machine.")
        {
            kind, bundle, step, text, by, second, work,
        };
        command.SetAction((given, ct) => Give(Path.GetFullPath(given.GetValue(work) ?? $"{given.GetValue(bundle)}.run"), new BundleAnswer
        {
            Kind = EventOf(given.GetValue(kind)),
            Step = given.GetValue(step),
            Text = given.GetValue(kind) == BundleWord.Report ? null : given.GetValue(text),
            Report = given.GetValue(kind) == BundleWord.Report ? given.GetValue(text) ?? "" : null,
            By = given.GetValue(by) ?? Environment.GetEnvironmentVariable("SUDO_USER") ?? Environment.UserName,
            Second = given.GetValue(second),
        }, ct));
        return command;
    }

    /// <summary>Hands an answer to whoever executes the bundle on this machine, and waits for what becomes of it.</summary>
    static async Task<int> Give(string folder, BundleAnswer answer, CancellationToken ct)
    {
        if (!Directory.Exists(folder))
            throw new NotFoundException($"The folder {folder}", "Answer on the machine that executes the bundle, and name the same file.");
        var file = Path.Combine(folder, $"answer-{Guid.CreateVersion7():N}.json");
        await File.WriteAllTextAsync($"{file}.new", JsonSerializer.Serialize(answer, BundleJson.Default.BundleAnswer), ct);
        File.Move($"{file}.new", file);
        for (var begun = Stopwatch.GetTimestamp(); !File.Exists($"{file}.taken") || File.Exists(file);)
        {
            if (Stopwatch.GetElapsedTime(begun) > TakenWithin)
            {
                File.Delete(file);
                throw new UnavailableException("bundle.not_running", "Nobody took the answer: the bundle is not being executed now.",
                    "Give its command again; then answer.");
            }
            await Task.Delay(LookAgain, ct);
        }
        var problem = await File.ReadAllTextAsync($"{file}.taken", ct);
        File.Delete($"{file}.taken");
        var told = new Output(json: false, quiet: false);
        told.Line(problem.Length == 0 ? "Taken." : $"Not taken: {problem}");
        return problem.Length == 0 ? ExitCodes.Done : ExitCodes.Failed;
    }

    static ExecutionEventKind EventOf(BundleWord word) => word switch
    {
        BundleWord.Retry => ExecutionEventKind.RetryAsked,
        BundleWord.Skip => ExecutionEventKind.SkipAsked,
        BundleWord.ByHand => ExecutionEventKind.ByHandSaid,
        BundleWord.Yes => ExecutionEventKind.Approved,
        BundleWord.No => ExecutionEventKind.Refused,
        BundleWord.Pause => ExecutionEventKind.PauseAsked,
        BundleWord.Resume => ExecutionEventKind.ResumeAsked,
        BundleWord.RollBack => ExecutionEventKind.RollBackAsked,
        BundleWord.Stop => ExecutionEventKind.StopAsked,
        BundleWord.Commit => ExecutionEventKind.CommitAsked,
        _ => ExecutionEventKind.Reported,   // a report, or that none comes
    };

    public static Command Step()
    {
        var (bundle, passphrase) = (Bundle(), PassphraseFile());
        var order = new Option<string>("--order") { Description = "The order that the execution wrote for this host.", Required = true };
        var state = Text("--agent-state", "State folder of this machine's agent, where it is not the usual one.");
        var steps = Text("--agent-steps", "Folder of what this machine lets runbooks do, where it is not the usual one.");
        var command = new Command("step", "Carry out one step of an execution from a bundle on this host, and print its signed report.")
        {
            bundle, order, passphrase, state, steps,
        };
        command.SetAction(async (given, ct) =>
        {
            var opened = BundleFile.Read(await File.ReadAllBytesAsync(given.GetValue(bundle)!, ct));
            using var secret = given.GetValue(passphrase) is { } file ? RepositoryArguments.FromFile(file, passphrase.Name)
                : Secret.FromText(Environment.GetEnvironmentVariable("BACKUPDR_BUNDLE_PASSPHRASE") ?? throw new BadInputException(
                    passphrase.Name, "The passphrase of the bundle is missing.", "Name a file that holds it."));
            using var key = Contracts.Rules.Runbooks.Bundles.Bundle.KeyOf(opened.Open(secret.Reveal()));
            var wanted = Ordered(await File.ReadAllTextAsync(given.GetValue(order)!, ct));
            string[] options = [.. Given("--state", given.GetValue(state)), .. Given("--steps", given.GetValue(steps))];
            var answer = await Here(options, new LocalWork { Host = wanted.Host, Step = wanted.Step }, ct);
            var report = new BundleReport(wanted.Step.Key, wanted.Name, JsonSerializer.Serialize(answer.Report!,
                BundleJson.Default.HostStepReport), "");
            report = report with { Signature = Convert.ToBase64String(EvidenceSignature.Sign(key, report.Hash)) };
            var told = new Output(json: false, quiet: false);
            told.Line($"{answer.Report!.State}: {answer.Report.Text}");
            told.Line($"report {Convert.ToBase64String(JsonSerializer.SerializeToUtf8Bytes(report, BundleJson.Default.BundleReport))}");
            return answer.Report.State == HostStepState.Done ? ExitCodes.Done : ExitCodes.Failed;
        });
        return command;
    }

    static string[] Given(string name, string? value) => value is null ? [] : [name, Path.GetFullPath(value)];

    static BundleOrder Ordered(string text)
    {
        try
        {
            if (JsonSerializer.Deserialize(Convert.FromBase64String(text.Trim()), BundleJson.Default.BundleOrder) is { } order)
                return order;
        }
        // Told below.
        catch (Exception e) when (e is FormatException or JsonException) { throw NoOrder(); }
        throw NoOrder();
    }

    static BadInputException NoOrder() => new("--order", "This is no order, or it was not copied whole.", "Copy the file again.");

    static async Task<LocalAnswer> Here(string[] options, LocalWork work, CancellationToken ct)
    {
        await using var tool = ToolProcess.Start(Sibling.PathOf("backupdr-agent"), ["local", .. options],
            pipes: ToolPipes.Input | ToolPipes.Output);
        byte[] line = [.. JsonSerializer.SerializeToUtf8Bytes(work, LocalJson.Default.LocalWork), (byte)'\n'];
        await tool.Input.WriteAsync(line, ct);
        await tool.Input.FlushAsync(ct);
        using var reader = new StreamReader(tool.Output);
        var answer = await reader.ReadLineAsync(ct) is { } told
            ? JsonSerializer.Deserialize(told, LocalJson.Default.LocalAnswer) : null;
        if (answer?.Refused is { } why) throw new ConflictException(why.Code, why.Message, why.Hint);
        return answer?.Report is not null ? answer : throw new UnavailableException("bundle.agent",
            $"The agent's program told nothing: {tool.LastLine}", "Start this command as root, on the host.");
    }

    public static Command Merge()
    {
        var file = new Argument<string>("FILE") { Description = "What an execution from a bundle wrote down." };
        var node = new NodeArguments();
        var command = node.On(new Command("merge", "Take an execution from a bundle into the history of a console that answers again. "
            + "Given twice it changes nothing. Exit code 21 if a byte of it was altered.") { file });
        command.SetAction(async (given, ct) =>
        {
            string text;
            try { text = await File.ReadAllTextAsync(given.GetValue(file)!, ct); }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new BadInputException("FILE", $"It cannot be read: {e.Message}", "Check its path and its rights.");
            }
            using var api = node.Open(given);
            var merged = await api.MergeExecution(new MergeExecutionRequest(text), ct);
            new Output(json: false, quiet: false).Line(merged.IsNew
                ? $"{merged.Execution} is in the history now, with {Output.Count(merged.Events, "event")}; its evidence is in the chain."
                : $"{merged.Execution} was in the history already: nothing was changed.");
            return ExitCodes.Done;
        });
        return command;
    }
}

/// <summary>What a person answers while a bundle is executed.</summary>
enum BundleWord
{
    Retry,
    Skip,
    ByHand,
    Yes,
    No,
    Report,
    Fail,
    Pause,
    Resume,
    RollBack,
    Stop,
    Commit,
}
