"""Break the network under a thousand players, and hold the counts against the truth."""

from simulator.scenario import Fault, Scenario
from simulator.virtual import run_virtual

CALM = Scenario(players=1000, rounds=6, round_time=20.0, seed=7)
BROKEN = CALM.model_copy(
    update={
        "drop": 0.3,  # of the players lose their connection,
        "drops": 2,  # twice each,
        "restart": 0.1,  # or their whole app
        "edges": 2,
        "edge_restarts": 1,  # a server goes, with all its connections
        "faults": (
            Fault(verdict="drop", share=0.02),  # of the messages are lost
            Fault(verdict="repeat", share=0.05),  # come twice
            Fault(verdict="later", share=0.05, delay_s=4.0),
        ),
        "healed": 2,  # the last two rounds are left in peace
    }
)

for name, scenario in (("calm", CALM), ("broken", BROKEN)):
    report = run_virtual(scenario)
    print(f"{name}: {report.reconnects} reconnects, {sum(report.verdicts.values())} messages hurt")
    print("  round   must <= counted <= may")
    for row in report.rows:
        right = "right" if row.must <= row.counted <= row.may else "WRONG"
        print(f"  {row.round:5} {row.must:6} {row.counted:10} {row.may:6}  {right}")
    assert report.ok, report.violations
