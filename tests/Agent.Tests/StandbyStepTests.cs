using System.Globalization;
using BackupDr.Agent.Steps;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;

namespace BackupDr.Agent.Tests;

/// <summary>A server that was a primary becomes a standby of the one that took over from it, and is promoted again once it has everything.
/// </summary>
public sealed class StandbyStepTests : IAsyncDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly PostgresCluster _old, _new;
    readonly StepRunner _runner;
    int _steps;

    public StandbyStepTests()
    {
        Mount.NeedRoot();   // what runbooks may do is in root's files
        _old = PostgresCluster.Start();
        _new = PostgresCluster.StandbyOf(_old);
        var address = string.Create(CultureInfo.InvariantCulture, $"{_old.Sockets}:{_old.Port}");
        _scratch.File("steps.d/standbys", $"{address} {_old.Data} old.service\n");
        _scratch.File("steps.d/databases", $"{address}\n");
        // Stands for the service manager: starts and stops the one server.
        var systemctl = _scratch.File("systemctl", $"""
            #!/bin/sh
            [ "$1" = is-active ] && exit 3
            exec setpriv --reuid=postgres --regid=postgres --init-groups -- {_old.Programs}/pg_ctl -D {_old.Data} -w -m fast \
                -l {_old.Folder}/log "$1"

            """);
        Tool.Succeed("chmod", "-R", "755", _scratch.At("steps.d"), systemctl);
        _runner = new StepRunner(new StepJournal(_scratch.At("steps"), TimeProvider.System), new AllowedSteps(_scratch.At("steps.d")),
            TimeProvider.System, systemctl);
    }

    public async ValueTask DisposeAsync()
    {
        await _runner.DisposeAsync();
        await _old.DisposeAsync();
        await _new.DisposeAsync();
        _scratch.Dispose();
    }

    static PostgreSqlSpec At(PostgresCluster server) => new() { Host = server.Sockets, Port = server.Port, User = "postgres" };

    async Task<HostStepReport> Answer(HostStep step)
    {
        while (true)
            if (await _runner.Answer(step, CancellationToken.None) is { State: not HostStepState.Running } report) return report;
    }

    Task<HostStepReport> Protect(bool isLossSeen = false, ReprotectWay way = ReprotectWay.Rewind, HostStepWish wish = HostStepWish.Run)
        => Answer(new HostStep
        {
            Key = string.Create(CultureInfo.InvariantCulture, $"exe_1/protect/{++_steps}"),
            Wish = wish,
            Timeout = TimeSpan.FromMinutes(4),
            Standby = new HostStandby(At(_old), At(_new), way, isLossSeen),
        });

    Task<HostStepReport> Promote() => Answer(new HostStep
    {
        Key = string.Create(CultureInfo.InvariantCulture, $"exe_1/promote/{++_steps}"),
        Timeout = TimeSpan.FromSeconds(20),
        Database = new HostDatabase(At(_old), DatabaseVerb.Promote, IsLossless: true),
    });

    [Fact]
    public async Task An_old_primary_follows_the_new_one_and_takes_over_again_with_everything()
    {
        await _old.Execute("create table orders (id bigint); insert into orders values (1)");
        await Until(() => _new.Ask<bool>("select to_regclass('orders') is not null and (select count(*) from orders) = 1"));

        // A site that is lost: what it took last never reached the other one.
        _new.Stop();
        await _old.Execute("insert into orders values (2); insert into orders values (3)");
        var running = await Protect(wish: HostStepWish.Look);
        Assert.Equal(HostStepState.Failed, running.State);
        Assert.Contains("it is not fenced", running.Text, StringComparison.Ordinal);
        _old.Kill();
        _new.Start();
        _new.Promote();
        await _new.Execute("insert into orders values (4)");

        var unseen = await Protect();
        Assert.Equal(HostStepState.Failed, unseen.State);
        Assert.Contains("isLossSeen", unseen.Text, StringComparison.Ordinal);
        Assert.InRange(long.Parse(unseen.Facts["ownCommits"], CultureInfo.InvariantCulture), 1, 20);   // the server commits some by itself
        Assert.False(File.Exists(Path.Combine(_old.Data, "standby.signal")));
        var settings = await File.ReadAllTextAsync(Path.Combine(_old.Data, "postgresql.conf"));

        var followed = await Protect(isLossSeen: true);
        Assert.True(followed.State == HostStepState.Done, followed.Text);
        Assert.Equal(settings, await File.ReadAllTextAsync(Path.Combine(_old.Data, "postgresql.conf")));
        await Until(() => _old.Ask<bool>("select array_agg(id order by id) = '{1,4}' from orders"));
        Assert.Contains("standby already", (await Protect()).Text, StringComparison.Ordinal);

        // Back: not while the other one may still write, nor after it was killed, but after it was stopped in order.
        Assert.Contains("is at work", (await Promote()).Text, StringComparison.Ordinal);
        _new.Kill();
        var killed = await Promote();
        Assert.Equal(HostStepState.Failed, killed.State);
        Assert.Contains("may lack something", killed.Text, StringComparison.Ordinal);
        _new.Start();
        await _new.Execute("insert into orders values (5)");
        await Until(() => _new.Ask<bool>("select exists (select from pg_stat_replication where state = 'streaming')"));
        _new.Stop();
        var promoted = await Promote();
        Assert.True(promoted.State == HostStepState.Done, promoted.Text);
        Assert.Equal((long[])[1, 4, 5], await _old.Ask<long[]>("select array_agg(id order by id) from orders"));
    }

    [Fact]
    public async Task A_new_copy_takes_the_place_of_what_cannot_be_rewound()
    {
        Assert.SkipUnless(Nightly.IsOn, "in the long form only");
        await _old.Execute("create table orders (id bigint); insert into orders values (1)");
        await Until(() => _new.Ask<bool>("select to_regclass('orders') is not null"));
        _old.Stop();
        _new.Promote();
        await _new.Execute("insert into orders values (2)");

        var copied = await Protect(way: ReprotectWay.Copy);

        Assert.True(copied.State == HostStepState.Done, copied.Text);
        Assert.Equal((long[])[1, 2], await _old.Ask<long[]>("select array_agg(id order by id) from orders"));
        Assert.Single(Directory.GetDirectories(_old.Folder, "data.before-*"));
    }

    static async Task Until(Func<Task<bool>> isSo)
    {
        using var late = new CancellationTokenSource(TimeSpan.FromMinutes(4));
        while (!await isSo()) await Task.Delay(50, late.Token);
    }
}
