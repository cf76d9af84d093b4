using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Jobs;
using BackupDr.Storage.Posix;

namespace BackupDr.Agent.Steps;

/// <summary>Does for a program of this machine what nodes want of an agent: the same code, list and journal, beside an agent that runs.
/// </summary>
/// <remarks>It goes on to its end where who asked is killed, and whoever asks for the same again waits for that.</remarks>
static class LocalSteps
{
    static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(100);

    /// <summary>Reads one wish from the input, and answers it.</summary>
    /// <returns>0 where it was answered, also with a refusal.</returns>
    public static async Task<int> Serve(AgentState state, string steps, TextReader input, TextWriter output)
    {
        using var stop = new CancellationTokenSource();
        // Ctrl-C at the terminal is meant for who asked: that one asks again later what became of it.
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => signal.Cancel = true);
        using var hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal => signal.Cancel = true);
        LocalAnswer answer;
        try
        {
            var work = await Read(input);
            _ = Cancelled(input, stop);
            answer = await Answer(state, steps, work, stop.Token);
        }
        catch (BackupDrException e) { answer = new LocalAnswer { Refused = new JobError(e.Code, e.Message, e.Hint, e.IsTransient) }; }
        try
        {
            await output.WriteLineAsync(JsonSerializer.Serialize(answer, LocalJson.Default.LocalAnswer));
            await output.FlushAsync();
        }
        catch (IOException) { return 0; }   // who asked is dead, and learns it from the journal
        return 0;
    }

    static async Task<LocalWork> Read(TextReader input)
    {
        try
        {
            return JsonSerializer.Deserialize(await input.ReadLineAsync() ?? "", LocalJson.Default.LocalWork)
                ?? throw new JsonException("It is null.");
        }
        catch (JsonException e)
        {
            throw new BadInputException("work", $"The wish cannot be read: {e.Message}", "Use programs of one version.");
        }
    }

    static async Task Cancelled(TextReader input, CancellationTokenSource stop)
    {
        while (await input.ReadLineAsync() is { } line)
            if (line == "cancel") await stop.CancelAsync();
    }

    static async Task<LocalAnswer> Answer(AgentState state, string steps, LocalWork work, CancellationToken ct)
    {
        using var identity = AgentIdentity.Load(state);
        var (own, name) = (identity.Membership.Host, identity.Membership.HostName);
        if (work.Host is null) return new LocalAnswer { Host = own, HostName = name };
        if (work.Host != own)
            throw new ConflictException("step.other_host", $"This host is {name} ({own}), and it is meant for {work.Host}. Nothing "
                + "was done.",
                "Do it on that host, or name the state folder of its agent.");
        if (work.Step is { } step)
        {
            var journal = new StepJournal(state.StepsFolder, TimeProvider.System);
            await using var runner = new StepRunner(journal, new AllowedSteps(steps), TimeProvider.System);
            return new LocalAnswer { Host = own, HostName = name, Report = await Step(state, runner, step, ct) };
        }
        return work.Restore is { } restore ? await LocalRestore.Run(state, identity, restore, work.NewestTag, ct)
            : throw new BadInputException("work", "Neither a step nor a restore is wanted.", "Use programs of one version.");
    }

    static async Task<HostStepReport> Step(AgentState state, StepRunner runner, HostStep step, CancellationToken ct)
    {
        if (step.Wish == HostStepWish.Look) return await runner.Answer(step, ct);
        Directory.CreateDirectory(state.StepsFolder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var file = Path.Combine(state.StepsFolder, "local-" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(step.Key))));
        FileLock? held;
        // Another process of ours is at it, since somebody asked before: its end is waited for.
        while ((held = FileLock.TryTake(FilePath.FromText(file))) is null) await Task.Delay(LookAgain, ct);
        using (held)
        {
            var answer = runner.Answer(step, CancellationToken.None);
            await using var cancelling = ct.UnsafeRegister(_ => _ = runner.Answer(step with { Wish = HostStepWish.Cancel },
                CancellationToken.None), null);
            while (await answer is { State: HostStepState.Running }) answer = runner.Answer(step, CancellationToken.None);
            return await answer;
        }
    }
}
