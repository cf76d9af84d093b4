using BackupDr.Contracts;
using BackupDr.Scheduler.Secrets;
using BackupDr.Scheduler.Tests.Fixtures;

namespace BackupDr.Scheduler.Tests.Secrets;

public sealed class SealedSecretsTests(SchedulerDatabases databases)
{
    static async Task<SealedSecrets> Loaded(TestDatabase database, string keyFile)
    {
        var secrets = new SealedSecrets(new SecretsOptions { KeyFile = keyFile }, database.Postgres, TimeProvider.System);
        await secrets.Load(default);
        return secrets;
    }

    static string NewKeyFile() => Path.Combine(Directory.CreateTempSubdirectory("bdr-seal-").FullName, "sealing.key");

    [Fact]
    public async Task The_key_file_is_made_for_its_owner_alone_and_opens_what_it_sealed()
    {
        await using var database = await databases.New();
        var file = NewKeyFile();

        var box = (await Loaded(database, file)).SealAlone("repository", "r1", "password", "hunter2"u8);

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        var again = await Loaded(database, file);
        Assert.Equal("hunter2"u8, again.Open("repository", "r1", "password", box));
        Assert.Equal(-1, box.AsSpan().IndexOf("hunter2"u8));
    }

    [Theory]
    [InlineData("location", "r1", "password")]
    [InlineData("repository", "r2", "password")]
    [InlineData("repository", "r1", "other")]
    public async Task A_sealed_value_opens_only_where_it_was_sealed(string table, string row, string column)
    {
        await using var database = await databases.New();
        var secrets = await Loaded(database, NewKeyFile());
        var box = secrets.SealAlone("repository", "r1", "password", "hunter2"u8);

        var e = Assert.Throws<ConflictException>(() => secrets.Open(table, row, column, box));

        Assert.Equal("secret.unopened", e.Code);
    }

    [Fact]
    public async Task Every_flipped_bit_and_every_cut_is_noticed()
    {
        await using var database = await databases.New();
        var secrets = await Loaded(database, NewKeyFile());
        var box = secrets.SealAlone("t", "r", "c", "hunter2"u8);

        for (var at = 0; at < box.Length; at++)
        {
            var flipped = box.ToArray();
            flipped[at] ^= 1;
            Assert.Throws<ConflictException>(() => secrets.Open("t", "r", "c", flipped));
            Assert.Throws<ConflictException>(() => secrets.Open("t", "r", "c", box.AsSpan(0, at)));
        }
    }

    [Fact]
    public async Task A_lost_key_file_is_never_replaced_by_a_new_one()
    {
        await using var database = await databases.New();
        var file = NewKeyFile();
        await Loaded(database, file);
        File.Delete(file);

        var e = await Assert.ThrowsAsync<BadInputException>(() => Loaded(database, file));

        Assert.Contains("is missing", e.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(file));
    }

    [Fact]
    public async Task The_key_of_another_installation_is_refused()
    {
        await using var database = await databases.New();
        await using var other = await databases.New();
        var otherKey = NewKeyFile();
        await Loaded(database, NewKeyFile());
        await Loaded(other, otherKey);

        var e = await Assert.ThrowsAsync<BadInputException>(() => Loaded(database, otherKey));

        Assert.Contains("not the one that sealed", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_file_that_others_may_read_is_refused_with_the_command_that_helps()
    {
        await using var database = await databases.New();
        var file = NewKeyFile();
        await Loaded(database, file);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.OtherRead);

        var e = await Assert.ThrowsAsync<BadInputException>(() => Loaded(database, file));

        Assert.Equal($"Run: chmod 600 {file}", e.Hint);
    }

    [Fact]
    public async Task Four_nodes_that_start_together_on_one_machine_agree_on_one_key()
    {
        await using var database = await databases.New();
        var file = NewKeyFile();

        var nodes = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Loaded(database, file)));

        var box = nodes[0].SealAlone("t", "r", "c", "hunter2"u8);
        Assert.All(nodes, node => Assert.Equal("hunter2"u8, node.Open("t", "r", "c", box)));
    }
}
