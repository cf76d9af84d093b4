using BackupDr.Contracts;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Tests.Fixtures;
using Microsoft.Extensions.Logging.Abstractions;

namespace BackupDr.Scheduler.Tests.Database;

public sealed class NotificationsTests(SchedulerDatabases databases)
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task A_committed_wake_reaches_the_waiter_of_that_host_on_another_node()
    {
        await using var database = await databases.New();
        using var notifications = await Started(database);
        var host = HostId.New(TimeProvider.System);
        using var waiter = notifications.ListenHost(host);
        using var other = notifications.ListenHost(HostId.New(TimeProvider.System));

        await using (var tx = await database.Postgres.Begin(CancellationToken.None))
        {
            await Notifications.WakeHost(tx, host, CancellationToken.None);
            await tx.Commit(CancellationToken.None);
        }

        Assert.True(await waiter.Wait(Patience, CancellationToken.None));
        Assert.False(await other.Wait(TimeSpan.FromMilliseconds(50), CancellationToken.None));
        await notifications.StopAsync(CancellationToken.None);
    }

    [Fact]
    public async Task A_cut_connection_is_made_again_and_everybody_is_told_to_look()
    {
        await using var database = await databases.New();
        using var notifications = await Started(database);
        using var stop = new CancellationTokenSource(Patience);
        await using var live = notifications.Live(stop.Token).GetAsyncEnumerator(CancellationToken.None);
        var next = live.MoveNextAsync();

        await databases.Server.CutConnections(database.ConnectionString);

        Assert.True(await next);
        Assert.Equal(Notifications.Everything, live.Current.Topic);
        await notifications.StopAsync(CancellationToken.None);
    }

    /// <summary>A started listener, once a first hint came through.</summary>
    static async Task<Notifications> Started(TestDatabase database)
    {
        var notifications = new Notifications(database.Postgres, TimeProvider.System, NullLogger<Notifications>.Instance);
        using var waiter = notifications.Listen("start");
        await notifications.StartAsync(CancellationToken.None);
        Assert.True(await waiter.Wait(Patience, CancellationToken.None));
        return notifications;
    }
}
