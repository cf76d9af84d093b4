using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.Scheduler.Timing;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace BackupDr.Scheduler.Tests.Timing;

public sealed class QuartzFiringTests(SchedulerDatabases databases) : FiringEngineContract
{
    protected override async Task<IEngineCluster> Cluster()
    {
        var connection = await databases.NewConnectionString();
        return new QuartzCluster(NpgsqlDataSource.Create(connection), [Node(connection, "node-a"), Node(connection, "node-b")]);
    }

    static ServiceProvider Node(string connection, string name)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddSingleton(TimeProvider.System);
        QuartzFiring.Add(services, name, _ => NpgsqlDataSource.Create(connection));
        return services.BuildServiceProvider();
    }

    sealed class QuartzCluster(NpgsqlDataSource source, ServiceProvider[] nodes) : IEngineCluster
    {
        public IFiringEngine Engine(int node) => nodes[node].GetRequiredService<IFiringEngine>();

        public async Task PassTime(TimeSpan time)
        {
            await using var command = source.CreateCommand("update qrtz_triggers set next_fire_time = next_fire_time - $1");
            command.Parameters.AddWithValue(time.Ticks);
            Assert.True(await command.ExecuteNonQueryAsync() > 0);
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var node in nodes) await node.DisposeAsync();
            await source.DisposeAsync();
        }
    }
}
