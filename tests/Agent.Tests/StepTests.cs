using System.Diagnostics;
using System.Security.Cryptography;
using BackupDr.Agent.Steps;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.TestKit;

namespace BackupDr.Agent.Tests;

public sealed class StepTests : IAsyncDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly List<StepRunner> _runners = [];

    public StepTests()
    {
        Mount.NeedRoot();   // what runbooks may do is in root's files
        Tool.Succeed("chmod", "755", _scratch.Folder("steps.d"));
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var runner in _runners) await runner.DisposeAsync();
        _scratch.Dispose();
    }

    StepJournal Journal => new(_scratch.At("state/steps"), TimeProvider.System);

    /// <summary>An agent that was started now.</summary>
    StepRunner Runner()
    {
        Directory.CreateDirectory(_scratch.At("state"));
        var runner = new StepRunner(Journal, new AllowedSteps(_scratch.At("steps.d")), TimeProvider.System, _scratch.At("systemctl"));
        _runners.Add(runner);
        return runner;
    }

    HostScript Script(string text, params string[] arguments)
    {
        _scratch.File("steps.d/step", $"#!/bin/sh\n{text}\n");
        Tool.Succeed("chmod", "755", _scratch.At("steps.d/step"));
        return new HostScript("step", arguments,
            Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(_scratch.At("steps.d/step")))));
    }

    static HostStep Step(HostScript script, string key = "exe_1/step/1", HostStepWish wish = HostStepWish.Run, int seconds = 120)
        => new() { Key = key, Wish = wish, Timeout = TimeSpan.FromSeconds(seconds), Script = script };

    static async Task<HostStepReport> Ended(StepRunner runner, HostStep step)
    {
        for (var begun = Stopwatch.GetTimestamp(); ;)
        {
            var report = await runner.Answer(step, CancellationToken.None);
            if (report.State != HostStepState.Running) return report;
            Assert.True(Stopwatch.GetElapsedTime(begun) < TimeSpan.FromMinutes(4), "the step does not end");
        }
    }

    [Fact]
    public async Task Every_argument_arrives_as_it_was_given_whatever_stands_in_it()
    {
        string[] hostile = ["; touch hurt", "a\nb", "$(id)", "`id`", "-rf", "--", "'", "\"", "", " ", "*", "~", "a\\b", "$HOME", "|", "&",
            "ü€𝄞", "a\tb", "!x", "{1..3}", ">out"];
        var script = Script($"for one; do printf '%s\\0' \"$one\"; done > {_scratch.At("given")}", hostile);

        var report = await Ended(Runner(), Step(script));

        Assert.Equal((HostStepState.Done, (int?)0), (report.State, report.ExitCode));
        Assert.Equal(hostile, (await File.ReadAllTextAsync(_scratch.At("given"))).Split('\0')[..^1]);
    }

    [Fact]
    public async Task It_is_done_once_however_often_it_is_asked_for_and_by_whichever_agent_of_the_host()
    {
        var step = Step(Script($"echo once >> {_scratch.At("done")}; echo said; exit 3"));
        var runner = Runner();

        var reports = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Ended(runner, step)));
        var later = await Ended(Runner(), step);   // the agent was started again meanwhile

        Assert.All([.. reports, later], report => Assert.Equal((HostStepState.Failed, (int?)3, "step ended with exit code 3: said"),
            (report.State, report.ExitCode, report.Text)));
        Assert.Equal(["once"], await File.ReadAllLinesAsync(_scratch.At("done")));
    }

    [Fact]
    public async Task What_breaks_unexpectedly_is_told_at_once_and_again()
    {
        _scratch.File("steps.d/services", "shop.service\n");
        Directory.CreateDirectory(_scratch.At("state"));
        // That the program has no name is nothing that anybody expects.
        var runner = new StepRunner(Journal, new AllowedSteps(_scratch.At("steps.d")), TimeProvider.System, "");
        _runners.Add(runner);
        var step = Service("shop.service", ServiceVerb.Stop);

        var report = await runner.Answer(step, CancellationToken.None);

        Assert.Equal(HostStepState.Failed, report.State);
        Assert.StartsWith("It broke on the host: InvalidOperationException: ", report.Text, StringComparison.Ordinal);
        Assert.Equal(report.Text, (await runner.Answer(step, CancellationToken.None)).Text);
        Assert.Equal(report.Text, Journal.Find(step.Key)!.Report!.Text);   // for the next agent too
    }

    [Fact]
    public async Task What_was_at_work_when_the_agent_ended_is_unknown_and_is_not_begun_again()
    {
        var step = Step(Script($"echo once >> {_scratch.At("done")}"));
        Journal.Begin(step.Key);   // as far as the agent came

        var report = await Ended(Runner(), step);

        Assert.Equal((HostStepState.Unknown, "The agent ended while it was at work."), (report.State, report.Text));
        Assert.False(File.Exists(_scratch.At("done")));
        Assert.Equal(HostStepState.Done, (await Ended(Runner(), step with { Key = "exe_1/step/2" })).State);   // somebody chose so
    }

    [Fact]
    public async Task An_entry_that_was_damaged_counts_as_begun()
    {
        var step = Step(Script($"echo once >> {_scratch.At("done")}"));
        await Ended(Runner(), step);
        foreach (var file in Directory.GetFiles(_scratch.At("state/steps"))) await File.WriteAllTextAsync(file, "{\"key\":");

        Assert.Equal(HostStepState.Unknown, (await Ended(Runner(), step)).State);
        Assert.Single(await File.ReadAllLinesAsync(_scratch.At("done")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task One_that_takes_too_long_or_is_cancelled_is_stopped_with_all_that_it_started(bool isCancelled)
    {
        var script = Script($"sleep 1000 & echo $! > {_scratch.At("child")}; wait");
        var step = Step(script, seconds: isCancelled ? 120 : 2);
        var runner = Runner();
        var first = runner.Answer(step, CancellationToken.None);
        for (var begun = Stopwatch.GetTimestamp(); !File.Exists(_scratch.At("child")) || new FileInfo(_scratch.At("child")).Length == 0;)
            Assert.True(Stopwatch.GetElapsedTime(begun) < TimeSpan.FromMinutes(4), "the program does not begin");
        if (isCancelled) await runner.Answer(step with { Wish = HostStepWish.Cancel }, CancellationToken.None);
        await first;

        var report = await Ended(runner, step);

        Assert.Equal(HostStepState.Unknown, report.State);
        var child = (await File.ReadAllTextAsync(_scratch.At("child"))).Trim();
        for (var begun = Stopwatch.GetTimestamp(); Directory.Exists($"/proc/{child}") && IsAlive(child);)
            Assert.True(Stopwatch.GetElapsedTime(begun) < TimeSpan.FromMinutes(4), "what the program started goes on");

        static bool IsAlive(string pid)
        {
            try { return !File.ReadAllText($"/proc/{pid}/stat").Contains(") Z", StringComparison.Ordinal); }
            catch (IOException) { return false; }   // it ended meanwhile
        }
    }

    [Fact]
    public async Task A_look_runs_nothing_and_tells_what_stands_in_the_way()
    {
        var step = Step(Script($"echo once >> {_scratch.At("done")}"), wish: HostStepWish.Look);

        var looked = await Runner().Answer(step, CancellationToken.None);
        var unknown = await Runner().Answer(step with { Wish = HostStepWish.Cancel }, CancellationToken.None);

        Assert.Equal((HostStepState.Done, "step may be run here."), (looked.State, looked.Text));
        Assert.Equal((HostStepState.Failed, "It was never begun on this host."), (unknown.State, unknown.Text));
        Assert.False(File.Exists(_scratch.At("done")));
    }

    [Theory]
    [InlineData("echo more >> $DIR/step", "step.changed")]
    [InlineData("chmod 777 $DIR/step", "step.unsafe")]
    [InlineData("chmod 644 $DIR/step", "step.unsafe")]
    [InlineData("chown 65534 $DIR/step", "step.unsafe")]
    [InlineData("chmod 777 $DIR", "step.unsafe")]
    [InlineData("rm $DIR/step", "step.not_allowed")]
    [InlineData("mv $DIR/step $DIR/other; ln -s other $DIR/step", "step.unsafe")]
    public async Task A_program_that_is_not_roots_or_not_the_one_meant_is_refused_and_nothing_is_noted(string change, string code)
    {
        var step = Step(Script($"echo once >> {_scratch.At("done")}"));
        Tool.Succeed("sh", "-c", change.Replace("$DIR", _scratch.At("steps.d"), StringComparison.Ordinal));

        var refused = await Assert.ThrowsAsync<StepRefusedException>(() => Runner().Answer(step, CancellationToken.None));

        Assert.Equal(code, refused.Code);
        Assert.NotNull(refused.Hint);
        Assert.False(File.Exists(_scratch.At("done")));
        Assert.Null(Journal.Find(step.Key));
    }

    [Theory]
    [InlineData("../step", "step.name")]
    [InlineData("services", "step.name")]
    [InlineData("databases", "step.name")]
    [InlineData(".hidden", "step.name")]
    [InlineData("", "step.name")]
    public async Task Only_names_of_the_folder_are_programs(string name, string code)
        => Assert.Equal(code, (await Assert.ThrowsAsync<StepRefusedException>(()
            => Runner().Answer(Step(Script("true") with { Name = name }), CancellationToken.None))).Code);

    [Fact]
    public async Task It_runs_as_the_account_that_it_names_and_without_the_agents_own_variables()
    {
        Environment.SetEnvironmentVariable("AWS_SECRET_ACCESS_KEY", "not for steps");
        var script = Script("id -un; env | grep -c AWS_");
        Tool.Succeed("chmod", "711", _scratch.Path);   // the account must get to the program

        var report = await Ended(Runner(), Step(script with { User = "nobody" }));
        var nobodys = await Assert.ThrowsAsync<StepRefusedException>(()
            => Runner().Answer(Step(script with { User = "no-such-account" }, "exe_1/step/2"), CancellationToken.None));

        Assert.Equal(["nobody", "0"], report.Lines);
        Assert.Equal("step.no_account", nobodys.Code);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-shop.service")]
    [InlineData("shop")]
    [InlineData("shop.service; reboot")]
    [InlineData("shop service.service")]
    public async Task What_is_no_service_is_refused(string unit)
        => await Assert.ThrowsAsync<BadInputException>(() => Runner().Answer(Service(unit, ServiceVerb.Stop), CancellationToken.None));

    [Fact]
    public async Task A_service_that_the_host_does_not_list_is_not_touched()
    {
        var refused = await Assert.ThrowsAsync<StepRefusedException>(()
            => Runner().Answer(Service("shop.service", ServiceVerb.Stop), CancellationToken.None));
        _scratch.File("steps.d/services", "other.service\n");
        var other = await Assert.ThrowsAsync<StepRefusedException>(()
            => Runner().Answer(Service("shop.service", ServiceVerb.Stop), CancellationToken.None));

        Assert.Equal(("step.not_allowed", "step.not_listed"), (refused.Code, other.Code));
        Assert.Contains("Write a line 'shop.service'", other.Hint, StringComparison.Ordinal);
    }

    /// <summary>Machines that run tests have no systemd at work: a program that answers as its own does, and keeps what is active in a
    /// file.</summary>
    [Theory]
    [InlineData(ServiceVerb.Start, false, true, HostStepState.Done, "shop.service is active.")]
    [InlineData(ServiceVerb.Start, true, true, HostStepState.Done, "shop.service is active, as before.")]
    [InlineData(ServiceVerb.Stop, true, true, HostStepState.Done, "shop.service is not active.")]
    [InlineData(ServiceVerb.Stop, false, true, HostStepState.Done, "shop.service is not active, as before.")]
    [InlineData(ServiceVerb.Restart, true, true, HostStepState.Done, "shop.service is active.")]
    [InlineData(ServiceVerb.Start, false, false, HostStepState.Failed, "shop.service is not active, as before.")]
    [InlineData(ServiceVerb.Stop, true, false, HostStepState.Failed, "shop.service is active, as before.")]
    public async Task A_service_that_the_host_lists_is_brought_where_it_is_wanted_and_looked_at(ServiceVerb verb, bool wasActive,
        bool obeys, HostStepState state, string text)
    {
        _scratch.File("steps.d/services", "# of the shop\nshop.service\n");
        if (wasActive) _scratch.File("active", "");
        var obey = obeys ? "start|restart) touch ACTIVE;; stop) rm -f ACTIVE;;" : "start|stop|restart) ;;";
        var answers = "case \"$*\" in *\" -- shop.service\") ;; *) exit 9;; esac\n"
            + $"case $1 in is-active) test -e ACTIVE;; {obey} *) exit 1;; esac";
        _scratch.File("systemctl", $"#!/bin/sh\n{answers.Replace("ACTIVE", _scratch.At("active"), StringComparison.Ordinal)}\n");
        Tool.Succeed("chmod", "755", _scratch.At("systemctl"));

        var report = await Ended(Runner(), Service("shop.service", verb));

        Assert.Equal((state, text, (bool?)wasActive), (report.State, report.Text, report.WasActive));
    }

    static HostStep Service(string unit, ServiceVerb verb)
        => new() { Key = $"exe_1/{verb}/1", Timeout = TimeSpan.FromMinutes(2), Service = new HostUnit(unit, verb) };
}
