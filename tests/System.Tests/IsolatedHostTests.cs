using BackupDr.TestKit;

namespace BackupDr.SystemTests;

public sealed class IsolatedHostTests
{
    [Fact]
    public async Task A_second_host_has_its_own_name_network_and_folders()
    {
        Assert.SkipWhen(IsolatedHost.Missing() is not null && Environment.GetEnvironmentVariable("CI") is null,
            $"needs {IsolatedHost.Missing()}");
        var ct = TestContext.Current.CancellationToken;
        await using var host = await IsolatedHost.Start("second", hidden: [AppContext.BaseDirectory], writable: ["/opt"], ct);

        var (exit, output) = await host.Shell(
            $"hostname; ls '{AppContext.BaseDirectory}' | wc -l; touch /opt/mark && ls /opt; ip -o -4 addr show eth0 | grep -c "
                + $"'{host.InnerAddress}'", ct);

        Assert.Equal(0, exit);
        Assert.Equal("second\n0\nmark\n1\n", output);
        Assert.False(File.Exists("/opt/mark"));
    }
}
