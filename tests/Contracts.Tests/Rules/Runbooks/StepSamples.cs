using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Tests.Rules.Runbooks;

/// <summary>Parameters that are right, for tests that are about something else.</summary>
static class StepSamples
{
    /// <summary>The step with parameters of its kind.</summary>
    public static StepSpec Filled(StepSpec step) => step.Kind switch
    {
        StepKind.Http => step with
        {
            Http = new HttpSpec
            {
                Method = "POST",
                Url = "https://lb.example.org/switch",
                Undo = new HttpCallSpec { Method = "POST", Url = "https://lb.example.org/back" },
                Rehearsal = new HttpCallSpec { Url = "https://lb.sandbox.example.org/" },
            },
        },
        StepKind.DnsChange => step with
        {
            Dns = new DnsSpec
            {
                Server = "ns1.example.org",
                Zone = "example.org",
                Record = "shop.example.org",
                Key = "ddns",
                KeySecret = "dns-key",
                To = ["192.0.2.20"],
                Rehearsal = new DnsTarget
                {
                    Server = "ns1.example.org",
                    Zone = "sandbox.example.org",
                    Record = "shop.sandbox.example.org",
                    Key = "ddns",
                    KeySecret = "dns-key",
                },
            },
        },
        StepKind.LbSwitch => step with
        {
            Lb = new LbSpec
            {
                Address = "192.0.2.5:9999",
                Servers = [new LbServer { Name = "be/dr", State = LbState.Ready }],
                Rehearsal = new LbTarget
                {
                    Address = "192.0.2.5:9999",
                    Servers = [new LbServer { Name = "sandbox/dr", State = LbState.Ready }],
                },
            },
        },
        StepKind.HealthWait => step with { Health = new HealthSpec { Tcp = "db.dr.example.org:5432" } },
        StepKind.Notify => step with { Notify = new NotifySpec { Subject = "The shop runs at the other site." } },
        _ => step,
    };
}
