using BackupDr.Contracts;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Tests.Fixtures;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace BackupDr.Scheduler.Tests.Database;

public sealed class MigratorTests(SchedulerDatabases databases)
{
    static Migrator Of(NpgsqlDataSource source) => new(source, TimeProvider.System, NullLogger<Migrator>.Instance);

    [Fact]
    public async Task Four_nodes_that_start_together_migrate_an_empty_database_once()
    {
        await using var source = NpgsqlDataSource.Create(await databases.Server.NewDatabase());

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Of(source).Run(CancellationToken.None)));

        Assert.Equal(Migrator.Files().Count, await new Postgres(source).Scalar<long>("select count(*) from migration", [],
            CancellationToken.None));
    }

    [Fact]
    public async Task A_database_of_a_later_version_is_refused_by_name()
    {
        await using var database = await databases.New();
        await database.Postgres.Execute("insert into migration (name, hash) values ('9999_later.sql', '')", [], CancellationToken.None);

        var e = await Assert.ThrowsAsync<ConflictException>(() => Of(database.Source).Run(CancellationToken.None));

        Assert.Equal("database.newer", e.Code);
        Assert.Contains("9999_later.sql", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_migration_that_was_changed_after_it_was_applied_is_refused()
    {
        await using var database = await databases.New();
        await database.Postgres.Execute("update migration set hash = 'other' where name = '0001_foundation.sql'", [],
            CancellationToken.None);

        var e = await Assert.ThrowsAsync<ConflictException>(() => Of(database.Source).Run(CancellationToken.None));

        Assert.Equal("database.migration_changed", e.Code);
    }

    [Fact]
    public async Task A_wrong_database_name_is_told_at_once_and_not_waited_for()
    {
        var settings = new NpgsqlConnectionStringBuilder(await databases.Server.NewDatabase()) { Database = "nowhere" };
        await using var source = NpgsqlDataSource.Create(settings.ConnectionString);

        var e = await Assert.ThrowsAsync<UnavailableException>(() => Of(source).Run(CancellationToken.None));

        Assert.Contains("nowhere", e.Message, StringComparison.Ordinal);
        Assert.Contains("Database:ConnectionString", e.Hint, StringComparison.Ordinal);
    }
}
