using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using BackupDr.Contracts;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.Contracts.Rules.Runbooks.Bundles;
using BackupDr.Contracts.Specs;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Runbooks.Steps;
using BackupDr.Storage.Posix;
using Microsoft.Extensions.Logging.Abstractions;

namespace BackupDr.Scheduler.Runbooks.Bundles;

/// <summary>Executes a runbook from a bundle, on a machine where neither node nor database answers.</summary>
public static class BundleProgram
{
    /// <summary>Exit codes: the execution did not succeed; something is not as it was written; it was interrupted and can be gone on
    /// with.</summary>
    const int Failed = 1, Altered = 21, Interrupted = 130;

    /// <summary>Runs the command.</summary>
    /// <param name="args">What came after the verb.</param>
    /// <param name="output">For what is done.</param>
    /// <param name="error">For why it is not.</param>
    /// <returns>0 where the execution succeeded.</returns>
    public static async Task<int> Run(IReadOnlyList<string> args, TextWriter output, TextWriter error)
    {
        using var stop = new CancellationTokenSource();
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => Stop(signal, stop));
        using var ended = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => Stop(signal, stop));
        try
        {
            var arguments = BundleArguments.Parse(args, Environment.GetEnvironmentVariable);
            using var input = new StreamReader(Console.OpenStandardInput());
            await using var scene = await BundleScene.Open(arguments, output, stop.Token);
            return await new BundleCourse(scene, input, TimeProvider.System).Run(stop.Token);
        }
        catch (BackupDrException e)
        {
            await error.WriteLineAsync(e.Hint is null ? e.Message : $"{e.Message}\n{e.Hint}");
            return e.Code == "bundle.altered" ? Altered : Failed;
        }
        catch (OperationCanceledException)
        {
            await error.WriteLineAsync("Stopped. What was begun is written down: the same command goes on with it.");
            return Interrupted;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or PosixException)
        {
            await error.WriteLineAsync($"What happens cannot be written down, so nothing further is done: {e.Message}\n"
                + "Mend that, and give the same command again: it goes on where it was.");
            return Failed;
        }
    }

    static void Stop(PosixSignalContext signal, CancellationTokenSource stop)
    {
        signal.Cancel = true;
        stop.Cancel();
    }
}

/// <summary>A bundle that was verified and opened, with what its execution needs around it.</summary>
sealed class BundleScene : IAsyncDisposable
{
    const string Agent = "backupdr-agent";

    readonly FileLock _lock;

    BundleScene(BundleArguments arguments, Bundle bundle, BundleSecrets secrets, ECDsa key, FileLock held, BundleScreen screen)
    {
        (Arguments, Bundle, Secrets, Key, _lock, Screen) = (arguments, bundle, secrets, key, held, screen);
        Desk = new ReportDesk(key, arguments.Folder, screen.Say);
        string[] state = arguments.AgentState is { } folder ? ["--state", folder] : [];
        string[] steps = arguments.AgentSteps is { } allowed ? ["--steps", allowed] : [];
        Hosts = new LocalHosts(Path.Combine(AppContext.BaseDirectory, Agent), [.. state, .. steps], bundle.Hosts, Desk);
    }

    public BundleArguments Arguments { get; }
    public Bundle Bundle { get; }
    public BundleSecrets Secrets { get; }
    public ECDsa Key { get; }
    public BundleScreen Screen { get; }
    public ReportDesk Desk { get; }
    public LocalHosts Hosts { get; }

    /// <summary>Verifies and opens it.</summary>
    /// <exception cref="ConflictException">"bundle.altered", "bundle.unopened"; "bundle.busy": it is being executed on this machine.
    /// </exception>
    public static async Task<BundleScene> Open(BundleArguments arguments, TextWriter output, CancellationToken ct)
    {
        var bundle = BundleFile.Read(await Bytes(arguments.Bundle, ct));
        var secrets = await Opened(arguments, bundle, ct);
        Directory.CreateDirectory(arguments.Folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var held = FileLock.TryTake(FilePath.FromText(Path.Combine(arguments.Folder, "lock"))) ?? throw new ConflictException("bundle.busy",
            "This bundle is being executed on this machine already.", "Answer there, or with: backupdr runbook answer --bundle FILE …");
        var scene = new BundleScene(arguments, bundle, secrets, Contracts.Rules.Runbooks.Bundles.Bundle.KeyOf(secrets), held,
            new BundleScreen(output, TimeProvider.System));
        await scene.Hosts.Look(ct);
        return scene;
    }

    static async Task<byte[]> Bytes(string file, CancellationToken ct)
    {
        try { return await File.ReadAllBytesAsync(file, ct); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException("--bundle", $"The bundle cannot be read: {e.Message}", "Check its path and its rights.");
        }
    }

    static async Task<BundleSecrets> Opened(BundleArguments arguments, Bundle bundle, CancellationToken ct)
    {
        if (arguments.RecoveryKeyFile is { } file) return bundle.OpenByRecoveryKey(RecoveryKey.Parse(Text(file)));
        var given = arguments.PassphraseFile is { } path ? Text(path)
            : Environment.GetEnvironmentVariable("BACKUPDR_BUNDLE_PASSPHRASE") is { Length: > 0 } variable ? variable
            // A terminal is read to the end of the line whatever becomes of the reader: Ctrl-C leaves it alone.
            : await Task.Run(Asked, CancellationToken.None).WaitAsync(ct);
        return bundle.Open(given.Trim());
    }

    static string Text(string file)
    {
        try { return File.ReadAllText(file).Trim(); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException("--passphrase-file", $"{file} cannot be read: {e.Message}", "Check its path and its rights.");
        }
    }

    static string Asked()
    {
        if (Console.IsInputRedirected)
            throw new BadInputException("--passphrase-file", "There is no terminal to ask for the passphrase.",
                "Name a file with --passphrase-file or --recovery-key-file, or set BACKUPDR_BUNDLE_PASSPHRASE.");
        Console.Error.Write("Passphrase of the bundle: ");
        var typed = new System.Text.StringBuilder();
        while (Console.ReadKey(intercept: true) is { Key: not ConsoleKey.Enter } key)
        {
            if (key.Key == ConsoleKey.Backspace) typed.Length = Math.Max(0, typed.Length - 1);
            else if (!char.IsControl(key.KeyChar)) typed.Append(key.KeyChar);
        }
        Console.Error.WriteLine();
        return typed.ToString();
    }

    /// <summary>The kinds of steps, with what the bundle brought.</summary>
    public StepExecutors Executors(IStepNotes notes)
    {
        var (secrets, clock) = (new BundleStepSecrets(Secrets), TimeProvider.System);
        return new StepExecutors([
            new HealthWait(secrets, clock), new HttpCall(secrets, notes, clock), new DnsChange(secrets, notes, clock), new LbSwitch(notes),
            new BundleNotify(Screen.Say), new BundleRestoreStep(StepKind.RestoreDatabase, Secrets, Hosts, clock),
            new BundleRestoreStep(StepKind.RestoreFiles, Secrets, Hosts, clock),
            .. HostSteps.Kinds.Select(kind => new HostStepExecutor(kind, Hosts, clock)),
        ]);
    }

    public ValueTask DisposeAsync()
    {
        Key.Dispose();
        _lock.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Signs a hash with the bundle's key.</summary>
    public byte[] Sign(string hash) => EvidenceSignature.Sign(Key, hash);
}

/// <summary>From the first look to the evidence.</summary>
sealed class BundleCourse(BundleScene scene, TextReader input, TimeProvider clock)
{
    static readonly TimeSpan LookFor = TimeSpan.FromSeconds(20);

    readonly Bundle _bundle = scene.Bundle;
    readonly BundleArguments _arguments = scene.Arguments;

    /// <summary>Executes it, or goes on where it was.</summary>
    public async Task<int> Run(CancellationToken ct)
    {
        var executors = new RunbookGraph(_bundle.Spec);
        var open = await BundleJournals.Open(_arguments.Folder, scene.Sign, ct);
        Introduce();
        if (_arguments.IsCheck) return await Evaluate(ct) ? 0 : 1;
        if (open is { } found)
        {
            var begun = found.Read.Begin;
            scene.Screen.Say($"Going on with {found.Read.Execution}, begun {begun.At:yyyy-MM-dd HH:mm:ss}Z by {begun.By}.");
            using var journal = JournalWriter.GoOn(found.File, found.Read, scene.Key, clock);
            return await Execute(executors, journal, found.File, found.Read, ct);
        }
        await Evaluate(ct);
        await Confirm(ct);
        var id = ExecutionId.New(clock);
        var guard = await Guard(id, ct);
        var file = BundleJournals.Name(_arguments.Folder, id);
        using (var journal = JournalWriter.Begin(file, scene.Key, id.ToString(), clock))
        {
            journal.Add(BundleJournal.Bundle, _bundle.Certificate, BundleJson.Default.BundleCertificate);
            journal.Add(BundleJournal.Begun, BeginOf(journal.HeadHash, guard), BundleJson.Default.BundleBegin);
        }
        var read = await BundleJournal.Read(await File.ReadAllBytesAsync(file, ct), scene.Sign, ct);
        using var further = JournalWriter.GoOn(file, read, scene.Key, clock);
        return await Execute(executors, further, file, read, ct);
    }

    BundleBegin BeginOf(string head, string guard) => new()
    {
        Head = head,
        Mode = _arguments.Mode,
        At = clock.GetUtcNow(),
        By = _arguments.By,
        Why = _arguments.Why,
        Machine = scene.Hosts.Own is { } own ? $"{Environment.MachineName}, the host {own.Name}" : Environment.MachineName,
        Guard = guard,
        Spec = System.Text.Json.JsonSerializer.Serialize(_bundle.Spec, WireJson.Default.RunbookSpec),
    };

    async Task<int> Execute(RunbookGraph graph, JournalWriter journal, string file, ReadJournal read, CancellationToken ct)
    {
        var id = ExecutionId.Parse(read.Execution);
        var (state, _) = read.Replay(graph);
        var carryOut = new CarryOut(scene.Executors(new BundleStepNotes(journal, read.Notes)), clock,
            NullLogger<CarryOut>.Instance);
        var execution = new BundleExecution(graph, id, _bundle.Head.Name, journal, carryOut, scene.Screen, clock);
        scene.Hosts.Counts = execution.Counts;
        var inbox = new BundleInbox(_arguments.Folder, execution, scene.Desk, scene.Screen, clock);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var watching = inbox.Watch(over.Token);
        _ = inbox.Listen(input, _arguments.By, over.Token);   // nobody waits for a line that is never typed
        scene.Screen.Say($"What waits for you is marked >>>; type your answer. {BundleScreen.Words}");
        state = await execution.Run(state, [.. Decision.AtWork(graph, state)], ct);
        await over.CancelAsync();
        await watching;
        if (read.Evidence is null)
            journal.Add(ExecutionEvidence.Kind, ExecutionEvidence.Of(_bundle.Spec, state, new ExecutionFacts(read.Execution,
                _bundle.Head.Name, _bundle.Head.Version, _bundle.Head.Hash, read.Begin.By, read.Begin.Why)) with
            { Bundle = _bundle.Head.Id },
                WireJson.Default.EvidenceBody, _bundle.Head.Runbook.ToString());
        journal.Close();
        if (read.Begin.Mode != ExecutionMode.Rehearsal) await Claim().Release(read.Execution, ct);
        scene.Screen.Say($"""
            {state.Outcome}{(state.Reason is null ? "" : $": {state.Reason}")}
            The evidence, signed, is in {file}
            Verify it with: backupdr evidence verify {file}
            When a console answers again: backupdr runbook merge {file}
            """);
        return state.Outcome == ExecutionOutcome.Succeeded ? 0 : 1;
    }

    BundleClaim Claim() => new(_bundle.Head, scene.Secrets.Places, clock);

    /// <summary>Makes as sure as it can be made here that nobody else executes it.</summary>
    async Task<string> Guard(ExecutionId id, CancellationToken ct)
    {
        if (_arguments.Mode == ExecutionMode.Rehearsal) return "a rehearsal: nobody else was looked for";
        var (noted, all, words) = await Claim().Take(id.ToString(), $"by {_arguments.By} on {Environment.MachineName} since "
            + clock.GetUtcNow().ToString("yyyy-MM-dd HH:mm'Z'", CultureInfo.InvariantCulture), _arguments.TakeOver, ct);
        scene.Screen.Say($"That it is executed here: {words}.");
        if (noted * 2 > all) return words;
        if (_arguments.Alone) return $"{words}; {_arguments.By} answered for it that nobody else executes it";
        const string question = "Nothing shows whether somebody else executes this runbook at another machine now, or whether the console "
            + "still does.";
        if (Console.IsInputRedirected)
            throw new BadInputException("--alone", question, "Find out, and answer for it with --alone.");
        scene.Screen.Say($"{question} Find out. If nobody does, type: nobody");
        if (await Typed(ct) == "nobody") return $"{words}; {_arguments.By} answered for it that nobody else executes it";
        await Claim().Release(id.ToString(), ct);
        throw new BadInputException("--alone", "That was not 'nobody'. Nothing was done.");
    }

    void Introduce()
    {
        var (head, age) = (_bundle.Head, clock.GetUtcNow() - _bundle.Head.MadeAt);
        var here = scene.Hosts.Own is { } own ? $"This machine is the host {own.Name}."
            : $"This machine is no host of it: {scene.Hosts.Unknown}";
        scene.Screen.Say($"""
            The runbook '{head.Name}', version {head.Version}, from {_bundle.Spec.From} to {_bundle.Spec.To}
            Bundle {head.Id}, made {head.MadeAt:yyyy-MM-dd HH:mm}Z by {head.MadeBy}, {Math.Max(0, (int)age.TotalDays)} days ago
            Signed with the key {head.Fingerprint}, every byte as it was made
            {here}
            """);
        foreach (var step in new RunbookGraph(_bundle.Spec).Order.Select(place => _bundle.Spec.Steps[place]))
            scene.Screen.Say($"    {step.Name}: {step.Title ?? StepKinds.Of(step.Kind).Title}{Where(step)}");
    }

    string Where(StepSpec step)
    {
        var host = BundleHosts.Of(step) ?? scene.Secrets.Restores.FirstOrDefault(one => one.Step == step.Name)?.Host.Name;
        return host is null ? "" : host == scene.Hosts.Own?.Name ? " (here)" : $" (on {host}: carried there by you)";
    }

    /// <summary>Looks what stands in the way; changes nothing.</summary>
    async Task<bool> Evaluate(CancellationToken ct)
    {
        var executors = scene.Executors(new BundleStepNotes(null, []));
        var problems = new List<RunbookProblem>(executors.Missing(_bundle.Spec));
        foreach (var step in _bundle.Spec.Steps.Where(step => !StepVariables.Has(step)))
        {
            using var late = CancellationTokenSource.CreateLinkedTokenSource(ct);
            late.CancelAfter(LookFor);
            try
            {
                if (executors.Of(step.Kind) is { } executor)
                    problems.AddRange(await executor.Evaluate(new StepWork
                    {
                        Execution = "check",
                        Runbook = _bundle.Head.Name,
                        Mode = _arguments.Mode,
                        Step = step,
                        Activity = StepActivity.Simulate,
                        Attempt = 0,
                        Until = clock.GetUtcNow() + LookFor,
                    }, late.Token));
            }
            // A look that breaks or takes too long is a finding.
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                problems.Add(new RunbookProblem($"steps.{step.Name}", $"It could not be looked at: {e.Message}", "Look yourself."));
            }
        }
        foreach (var problem in problems) scene.Screen.Say($"In the way: {problem.Place}: {problem.Problem} {problem.Advice}");
        if (problems.Count == 0) scene.Screen.Say("Nothing stands in the way, as far as that can be seen from here.");
        return problems.Count == 0;
    }

    /// <summary>The next line that is typed; null at the end of the input.</summary>
    async Task<string?> Typed(CancellationToken ct) => (await Task.Run(input.ReadLine, CancellationToken.None).WaitAsync(ct))?.Trim();

    async Task Confirm(CancellationToken ct)
    {
        if (_arguments.Mode != ExecutionMode.Rehearsal && string.IsNullOrWhiteSpace(_arguments.Why))
            throw new BadInputException("--why", "It does not say why.", "In a sentence; it stands in the evidence.");
        if (_arguments.Yes) return;
        if (Console.IsInputRedirected)
            throw new BadInputException("--yes", "There is no terminal to ask whether it is to begin.", "Say so with --yes.");
        scene.Screen.Say($"It is executed now ({Decision.Words(_arguments.Mode)}). To begin, type its name: {_bundle.Head.Name}");
        if (await Typed(ct) != _bundle.Head.Name)
            throw new BadInputException("--yes", "That is not its name. Nothing was done.");
    }
}

/// <summary>The journals beside a bundle.</summary>
static class BundleJournals
{
    const string Ending = ".evidence.jsonl";
    /// <summary>Head, certificate and begin: with fewer lines nothing was begun.</summary>
    const int LeastLines = 3;

    public static string Name(string folder, ExecutionId id) => Path.Combine(folder, $"{id}{Ending}");

    /// <summary>The one that is not over; null for none.</summary>
    /// <exception cref="ConflictException">"bundle.altered".</exception>
    public static async Task<(string File, ReadJournal Read)?> Open(string folder, Func<string, byte[]> sign, CancellationToken ct)
    {
        foreach (var file in Directory.EnumerateFiles(folder, $"*{Ending}").OrderDescending(StringComparer.Ordinal))
        {
            var bytes = await File.ReadAllBytesAsync(file, ct);
            if (bytes.Count(one => one == '\n') < LeastLines)
            {
                File.Move(file, $"{file}.void", overwrite: true);   // killed before the first step: nothing followed from it
                continue;
            }
            ReadJournal read;
            try { read = await BundleJournal.Read(bytes, sign, ct); }
            catch (ConflictException e) { throw new ConflictException("bundle.altered", $"{file}: {e.Message}", e.Hint); }
            if (!read.IsClosed) return (file, read);
        }
        return null;
    }
}

/// <summary>The host that a step names.</summary>
static class BundleHosts
{
    /// <summary>Its name; null for none.</summary>
    public static string? Of(StepSpec step) => step.Script?.Host ?? step.Service?.Host ?? step.Promote?.Host ?? step.Assert?.Host
        ?? step.Reprotect?.Host;

    /// <summary>Hosts that rehearsals use.</summary>
    public static IEnumerable<string> All(StepSpec step) => new[] { Of(step), step.Script?.RehearsalHost, step.Service?.RehearsalHost,
        step.Promote?.RehearsalHost, step.Assert?.RehearsalHost }.OfType<string>();
}
