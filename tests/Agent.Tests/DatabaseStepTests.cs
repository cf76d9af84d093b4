using System.Globalization;
using BackupDr.Agent.Steps;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;

namespace BackupDr.Agent.Tests;

public sealed class DatabaseStepTests : IAsyncDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly PostgresCluster _cluster;
    readonly StepRunner _runner;
    int _steps;

    public DatabaseStepTests()
    {
        Mount.NeedRoot();   // what runbooks may do is in root's files
        Tool.Succeed("chmod", "755", _scratch.Folder("steps.d"));
        _cluster = PostgresCluster.Start();
        _runner = new StepRunner(new StepJournal(_scratch.At("steps"), TimeProvider.System), new AllowedSteps(_scratch.At("steps.d")),
            TimeProvider.System);
    }

    public async ValueTask DisposeAsync()
    {
        await _runner.DisposeAsync();
        await _cluster.DisposeAsync();
        _scratch.Dispose();
    }

    async Task<HostStepReport> Run(DatabaseVerb verb, string? query = null, TimeSpan? maxAge = null, string user = "postgres",
        HostStepWish wish = HostStepWish.Run)
    {
        var step = new HostStep
        {
            Key = string.Create(CultureInfo.InvariantCulture, $"exe_1/db/{++_steps}"),
            Wish = wish,
            Timeout = TimeSpan.FromMinutes(4),
            Database = new HostDatabase(new PostgreSqlSpec { Host = _cluster.Sockets, Port = _cluster.Port, User = user }, verb, query,
                maxAge),
        };
        while (true)
            if (await _runner.Answer(step, CancellationToken.None) is { State: not HostStepState.Running } report) return report;
    }

    [Fact]
    public async Task A_server_is_asked_and_promoted_as_far_as_the_host_lets_runbooks()
    {
        await _cluster.Execute("create role asserter login in role pg_read_all_data; create table orders (at timestamptz); "
            + "insert into orders values (clock_timestamp() - interval '100 seconds')");

        var unlisted = await Assert.ThrowsAsync<StepRefusedException>(() => Run(DatabaseVerb.Promote));
        Assert.Equal("step.not_allowed", unlisted.Code);
        _scratch.File("steps.d/databases", string.Create(CultureInfo.InvariantCulture, $"{_cluster.Sockets}:{_cluster.Port}\n"));

        // What is asked changes nothing, and not by a superuser.
        async Task<(HostStepState, string)> Ask(string query, TimeSpan? maxAge = null, string user = "asserter")
            => await Run(DatabaseVerb.Ask, query, maxAge, user) is var report ? (report.State, report.Text) : default;
        Assert.Equal((HostStepState.Done, "It is so."), await Ask("select count(*) = 1 from orders"));
        Assert.Equal((HostStepState.Failed, "It is not so: the query gave 'f' instead of true."),
            await Ask("select count(*) = 2 from orders"));
        Assert.Equal((HostStepState.Failed, "It is not so: the query gave 'nothing' instead of true."),
            await Ask("select true where false"));
        Assert.Equal(HostStepState.Failed, (await Ask("insert into orders values (now()) returning true")).Item1);
        Assert.Contains("is a superuser", (await Ask("select true", user: "postgres")).Item2, StringComparison.Ordinal);
        Assert.Equal(HostStepState.Failed, (await Ask("select no such thing")).Item1);
        Assert.Equal(1L, await _cluster.Ask<long>("select count(*) from orders"));

        // How long ago the newest row was made is what would be lost.
        var young = await Run(DatabaseVerb.Ask, "select max(at) from orders", TimeSpan.FromHours(1), "asserter");
        var old = await Run(DatabaseVerb.Ask, "select max(at) from orders", TimeSpan.FromSeconds(99), "asserter");
        Assert.Equal((HostStepState.Done, HostStepState.Failed), (young.State, old.State));
        Assert.InRange(double.Parse(young.Facts["ageSeconds"], CultureInfo.InvariantCulture), 100, 1000);
        Assert.Equal((HostStepState.Failed, "The query gave 'seven', which is no time."),
            await Ask("select 'seven'", TimeSpan.FromHours(1)));

        // A primary is none to promote; a standby is, once.
        Assert.Equal(HostStepState.Failed, (await Run(DatabaseVerb.Promote, wish: HostStepWish.Look)).State);
        _cluster.Stop();
        await File.WriteAllTextAsync(Path.Combine(_cluster.Data, "standby.signal"), "");
        _cluster.Start();
        var looked = await Run(DatabaseVerb.Promote, wish: HostStepWish.Look);
        Assert.Equal(HostStepState.Done, looked.State);
        Assert.Contains("is a standby and receives nothing now", looked.Text, StringComparison.Ordinal);
        var promoted = await Run(DatabaseVerb.Promote);
        Assert.Equal((HostStepState.Done, "true"), (promoted.State, promoted.Facts["wasStandby"]));
        Assert.False(await _cluster.Ask<bool>("select pg_is_in_recovery()"));
        var again = await Run(DatabaseVerb.Promote);
        Assert.Equal((HostStepState.Done, "false"), (again.State, again.Facts["wasStandby"]));
    }
}
