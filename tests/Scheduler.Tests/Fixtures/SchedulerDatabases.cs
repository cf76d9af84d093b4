using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Tests.Fixtures;
using BackupDr.TestKit;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

[assembly: AssemblyFixture(typeof(SchedulerDatabases))]

namespace BackupDr.Scheduler.Tests.Fixtures;

/// <summary>Private, migrated databases whose clock the test moves.</summary>
public sealed class SchedulerDatabases : IAsyncDisposable
{
    const string TestClock = """
        create table test_skew (value interval not null);
        insert into test_skew values ('0 seconds');
        create or replace function clock() returns timestamptz language sql volatile as 'select clock_timestamp() + value from test_skew';
        """;

    /// <summary>The server underneath.</summary>
    public PostgresServer Server { get; } = new();

    /// <summary>A new one.</summary>
    public async Task<TestDatabase> New() => new(await NewConnectionString());

    /// <summary>The connection string of a new one, for tests that start a node on it.</summary>
    public Task<string> NewConnectionString() => Server.NewDatabase("scheduler", async template =>
    {
        await using var source = NpgsqlDataSource.Create(template);
        await new Migrator(source, TimeProvider.System, NullLogger<Migrator>.Instance).Run(CancellationToken.None);
        await using var command = source.CreateCommand(TestClock);
        await command.ExecuteNonQueryAsync();
        await using var connection = await source.OpenConnectionAsync();
        NpgsqlConnection.ClearPool(connection);   // a template may have no connections
    });

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}

/// <summary>A migrated database with a clock that can be moved.</summary>
public sealed class TestDatabase(string connectionString) : IAsyncDisposable
{
    /// <summary>For further data sources.</summary>
    public string ConnectionString => connectionString;

    /// <summary>For Quartz and the migrator.</summary>
    public NpgsqlDataSource Source { get; } = NpgsqlDataSource.Create(connectionString);

    /// <summary>As handlers take it.</summary>
    public Postgres Postgres => field ??= new Postgres(Source);

    /// <summary>Moves the database's clock() forward.</summary>
    public Task PassTime(TimeSpan time) => Postgres.Execute("update test_skew set value = value + $1", [time], CancellationToken.None);

    public ValueTask DisposeAsync() => Source.DisposeAsync();
}
